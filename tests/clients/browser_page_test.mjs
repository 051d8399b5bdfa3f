// A person's visit to the page of the tutorial's server, in C++ and in C.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { findChromium, launch, Tab } from "./support/browser.mjs";
import { check, skip } from "./support/check.mjs";

const WELCOME = "Welcome to the websocket server";
const CAME = "A new client connected!";
const browser = findChromium() ? await launch() : null;

// Runs a visit with tabs of its own; when it fails, the pictures of the tabs stay.
function visit(app, name, body) {
  const title = `browser: ${app}: ${name}`;
  if (!browser) return skip(title, "no chromium in PATH");
  return check(title, async (t) => {
    const server = await t.serve(app);
    const tabs = [];
    const open = async () => {
      const tab = await Tab.open(browser.context, server.page());
      t.atEnd(() => tab.page.close());
      tabs.push(tab);
      return tab;
    };
    try {
      await body(server, open);
      assert.deepEqual(tabs.flatMap((tab) => tab.problems), []);
    } catch (error) {
      for (const tab of tabs) error.message += `; picture: ${await tab.photograph()}`;
      throw error;
    }
  });
}

// Opens a tab that has connected and been welcomed.
async function join(server, open, path) {
  const tab = await open();
  await tab.connect(path);
  assert.equal(await server.line(), CAME);
  assert.equal(await tab.received(0), WELCOME);
  return tab;
}

async function answers(server, open) {
  const tab = await join(server, open, "/");
  for (const [i, text] of ["hello", "Grüße 🌊 <b>&amp;</b>", ""].entries()) {
    await tab.send(text);
    assert.equal(await tab.received(i + 1), `You sent -> ${text}`);
  }
  const bytes = randomBytes(100_000);
  await tab.sendFile("random.bin", bytes);
  assert.match(await tab.received(4), /^97\.7 KiB of binary/);
  assert.ok((await tab.download(0)).equals(bytes));
}

async function tellsAll(server, open) {
  const one = await join(server, open, "/all");
  const two = await join(server, open, "/all");
  await one.send("from one");
  assert.equal(await one.received(1), "from one");
  assert.equal(await two.received(1), "from one");
  await two.sendFile("two.bin", Buffer.from([0, 1, 2, 255]));
  for (const tab of [one, two]) assert.deepEqual([...(await tab.download(0))], [0, 1, 2, 255]);
}

async function tellsOthers(server, open) {
  const one = await join(server, open, "/others");
  const two = await join(server, open, "/others");
  await one.send("from one");
  assert.equal(await two.received(1), "from one");
  await two.send("from two");
  assert.equal(await one.received(1), "from two");
}

async function comesAndGoes(server, open) {
  const tab = await join(server, open, "/");
  await tab.page.locator("#disconnect").click();
  await tab.status("closed with code 1000");
  assert.equal(await server.line(), "Client disconnected (1000) goodbye");
  await tab.connect("/all");
  assert.equal(await server.line(), CAME);
  await tab.page.reload();
  assert.equal((await server.line()).trimEnd(), "Client disconnected (1001)");
}

async function showsTheEnd(server, open) {
  const tab = await join(server, open, "/all");
  await server.finish();
  await tab.status("closed with code 1001 (going away), reason: the server stops");
}

async function refusesTooMuch(server, open) {
  const tab = await join(server, open, "/");
  await tab.sendFile("big.bin", Buffer.alloc((16 << 20) + 1));
  await tab.status("closed with code 1009 (message too big)");
  assert.match(await server.line(), /\w+ \w+/);
  assert.match(await server.line(), /^Client disconnected \(1009\) \w+/);
}

for (const app of ["chat", "chat-c"]) {
  await visit(app, "text and a file come back", answers);
  await visit(app, "/all: the broadcast arrives in both tabs", tellsAll);
  await visit(app, "/others: the broadcast arrives in the other tab", tellsOthers);
  await visit(app, "disconnect, connect again, leave the page", comesAndGoes);
  await visit(app, "the server's end is shown", showsTheEnd);
  await visit(app, "a file over the limit is refused", refusesTooMuch);
}
await browser?.close();
