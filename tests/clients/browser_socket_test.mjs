// The browser's own WebSocket against weir-serve, beyond what the page does. A browser offers
// scripts neither pings nor fragments: it answers the server's pings, and fragments as it likes.

import assert from "node:assert/strict";
import { findChromium, launch, Tab } from "./support/browser.mjs";
import { check, skip } from "./support/check.mjs";
import { relay } from "./support/relay.mjs";

const MIB = 1 << 20;
const BIG = ["--max-message", String(16 * MIB), "--queue-bytes", String(32 * MIB)];
const browser = findChromium() ? await launch() : null;

function inBrowser(name, body) {
  if (!browser) return skip(`browser: ${name}`, "no chromium in PATH");
  return check(`browser: ${name}`, async (t) => {
    const tab = await Tab.open(browser.context, (await t.serve("chat")).page());
    t.atEnd(() => tab.page.close());
    await body(t, tab.page);
  });
}

// Runs in the page: sends a message of this kind and length; says whether it came back the same.
async function echoes({ url, kind, length }) {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  const pattern = Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 0x7f);
  const sent = kind === "text" ? new TextDecoder().decode(pattern) : pattern;
  const answer = await new Promise((resolve, reject) => {
    socket.onopen = () => socket.send(sent);
    socket.onmessage = (event) => resolve(event.data);
    socket.onclose = (event) => reject(new Error(`closed with ${event.code} ${event.reason}`));
  });
  socket.onclose = null;
  socket.close();
  if (kind === "text") return answer === sent;
  const bytes = new Uint8Array(answer);
  return bytes.length === length && bytes.every((byte, i) => byte === pattern[i]);
}

// Runs in the page: how the connection was closed, by the arguments or by the server.
function closes({ url, args }) {
  const socket = new WebSocket(url);
  return new Promise((resolve) => {
    if (args) socket.onopen = () => socket.close(...args);
    socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean });
  });
}

for (const kind of ["text", "binary"]) {
  await inBrowser(`${kind} up to 16 MiB comes back`, async (t, page) => {
    const url = (await t.serve("weir-serve", ...BIG)).url();
    for (const length of [0, 1, 125, 126, 65535, 65536, 16 * MIB]) {
      assert.ok(await page.evaluate(echoes, { url, kind, length }), `${length} bytes`);
    }
  });
}

await inBrowser("a close with code and reason is answered with its code", async (t, page) => {
  const url = (await t.serve("weir-serve")).url();
  for (const args of [[1000], [3000, "see you"], [4999, "für immer"]]) {
    const expected = { code: args[0], reason: "", wasClean: true };
    assert.deepEqual(await page.evaluate(closes, { url, args }), expected);
  }
  const silent = await page.evaluate(closes, { url, args: [] });
  assert.deepEqual(silent, { code: 1005, reason: "", wasClean: true });
});

await inBrowser("the server closes an idle connection", async (t, page) => {
  const url = (await t.serve("weir-serve", "--idle-ms", "200")).url();
  const expected = { code: 1001, reason: "idle for too long", wasClean: true };
  assert.deepEqual(await page.evaluate(closes, { url }), expected);
});

await inBrowser("the server's pings are answered", async (t, page) => {
  const server = await t.serve("weir-serve", "--ping-ms", "100");
  const between = await relay(server.port);
  t.atEnd(() => between.close());
  await page.evaluate((url) => void (globalThis.kept = new WebSocket(url)),
    `ws://127.0.0.1:${between.port}/`);
  await between.pings.next();
  await between.pongs.next();
});

await inBrowser("IPv6 and names", async (t, page) => {
  const server = await t.serve("weir-serve");
  for (const host of ["[::1]", "localhost"]) {
    const url = server.url("/", host);
    assert.ok(await page.evaluate(echoes, { url, kind: "text", length: 10 }), host);
  }
});
await browser?.close();
