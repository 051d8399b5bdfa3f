// The browser's own WebSocket over TLS and with permessage-deflate, which it always offers: what is
// agreed, and messages both ways. One browser takes any certificate, the other knows no authority.

import assert from "node:assert/strict";
import { findChromium, launch, Tab } from "./support/browser.mjs";
import { check, skip } from "./support/check.mjs";

const MIB = 1 << 20;
const BIG = ["--max-message", String(16 * MIB), "--queue-bytes", String(32 * MIB)];
const ALL = ["--deflate-threshold", "1"];
const trusting = findChromium() ? await launch({ ignoreHTTPSErrors: true }) : null;
const strict = findChromium() ? await launch() : null;

function inBrowser(browser, name, body) {
  if (!browser) return skip(`browser: ${name}`, "no chromium in PATH");
  return check(`browser: ${name}`, async (t) => {
    const tab = await Tab.open(browser.context, (await t.serve("chat")).page());
    t.atEnd(() => tab.page.close());
    await body(t, tab.page);
  });
}

// Runs in the page: sends text that repeats and bytes that do not, of each length, and says which
// did not come back, what was agreed, and how it ended.
async function echoes({ url, lengths }) {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  const closed = new Promise((resolve) => (socket.onclose = ({ code }) => resolve(code)));
  const opened = await Promise.race([new Promise((resolve) => (socket.onopen = () =>
    resolve("open"))), closed]);
  if (opened !== "open") return { code: opened };
  const extensions = socket.extensions;
  const answer = (sent) => new Promise((resolve, reject) => {
    socket.onmessage = (event) => resolve(event.data);
    closed.then((code) => reject(new Error(`closed with ${code}`)));
    socket.send(sent);
  });
  const wrong = [];
  for (const length of lengths) {
    const text = "The weir governs the river. ".repeat(length / 28 + 1).slice(0, length);
    if ((await answer(text)) !== text) wrong.push(`text of ${length}`);
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += 65536)
      crypto.getRandomValues(bytes.subarray(at, at + 65536));
    const back = new Uint8Array(await answer(bytes));
    if (back.length !== length || !back.every((byte, i) => byte === bytes[i]))
      wrong.push(`${length} bytes`);
  }
  socket.close(1000);
  return { extensions, wrong, code: await closed };
}

const LENGTHS = [0, 1, 125, 126, 1000, 65535, 65536, MIB];
const agreed = {
  "--deflate": /^permessage-deflate; server_no_context_takeover; client_no_context_takeover/,
  "--deflate-takeover": /^permessage-deflate(; client_max_window_bits=15)?$/,
};

for (const [option, extensions] of Object.entries(agreed)) {
  for (const secure of [false, true]) {
    const name = `${option}${secure ? " over TLS" : ""}`;
    await inBrowser(trusting, `${name}: messages come back`, async (t, page) => {
      const certificates = secure ? t.certificates() : null;
      const server = await t.serve("weir-serve", option, ...ALL, ...BIG,
        ...(certificates?.options() ?? []));
      const result = await page.evaluate(echoes, { url: server.url(), lengths: LENGTHS });
      assert.match(result.extensions, extensions);
      assert.deepEqual(result.wrong, []);
      assert.equal(result.code, 1000);
      const counts = (await server.finish()).find((line) => line.startsWith("deflate: "));
      const [compressed, inflated] = counts.match(/\d+/g).map(Number);
      assert.ok(compressed >= 6 && inflated >= 2 * LENGTHS.length - 2, counts);
    });
  }
}

await inBrowser(trusting, "over TLS alone: messages come back", async (t, page) => {
  const server = await t.serve("weir-serve", ...BIG, ...t.certificates().options());
  const lengths = [...LENGTHS, 16 * MIB];
  const result = await page.evaluate(echoes, { url: server.url(), lengths });
  assert.deepEqual(result, { extensions: "", wrong: [], code: 1000 });
});

await inBrowser(strict, "over TLS: an authority that it does not know", async (t, page) => {
  const server = await t.serve("weir-serve", ...t.certificates().options());
  assert.deepEqual(await page.evaluate(echoes, { url: server.url(), lengths: [] }), { code: 1006 });
});

// Runs in the page: the first few messages that come.
async function listens({ url, count, say }) {
  const socket = new WebSocket(url);
  const came = [];
  await new Promise((resolve, reject) => {
    socket.onopen = () => say.forEach((text) => socket.send(text));
    socket.onclose = ({ code }) => reject(new Error(`closed with ${code}`));
    socket.onmessage = (event) => {
      if (came.push(event.data) === count) resolve();
    };
  });
  return came;
}

for (const option of Object.keys(agreed)) {
  await inBrowser(trusting, `${option}: broadcasts and answers`, async (t, page) => {
    const certificates = t.certificates();
    const server = await t.serve("weir-serve", "--mode", "chat", option, ...ALL,
      ...certificates.options());
    const say = Array.from({ length: 100 }, (_, i) => `The weir governs message ${i}. `.repeat(9));
    const all = await page.evaluate(listens, { url: server.url("/all"), count: 101, say });
    assert.deepEqual(all.slice(1), say);
    const own = await page.evaluate(listens, { url: server.url("/"), count: 101, say });
    assert.deepEqual(own.slice(1), say.map((text) => `You sent -> ${text}`));
  });
}

await trusting?.close();
await strict?.close();
