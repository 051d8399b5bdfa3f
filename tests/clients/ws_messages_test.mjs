// npm's ws: messages of every length, in one frame and in fragments.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { check } from "./support/check.mjs";

const MIB = 1 << 20;
const BIG = ["--max-message", String(16 * MIB), "--queue-bytes", String(32 * MIB)];
const LENGTHS = [0, 1, 125, 126, 65535, 65536, MIB]; // around each form of the length (5.2)

await check("ws: text of every form of length", async (t) => {
  const client = await t.client((await t.serve("weir-serve")).url());
  for (const length of LENGTHS) {
    const text = "x".repeat(length);
    client.send(text);
    assert.ok((await client.text()) === text, `${length} characters`);
  }
  client.send("Grüße, 水, 🌊");
  assert.equal(await client.text(), "Grüße, 水, 🌊");
  assert.equal(client.ws.extensions, "");
  assert.equal(client.ws.protocol, "");
});

await check("ws: binary of every form of length", async (t) => {
  const client = await t.client((await t.serve("weir-serve")).url());
  for (const length of LENGTHS) {
    const bytes = randomBytes(length);
    client.send(bytes);
    assert.ok((await client.binary()).equals(bytes), `${length} bytes`);
  }
});

await check("ws: 16 MiB of binary and of text", async (t) => {
  const client = await t.client((await t.serve("weir-serve", ...BIG)).url());
  const bytes = randomBytes(16 * MIB);
  client.send(bytes);
  assert.ok((await client.binary()).equals(bytes));
  const text = "水🌊x".repeat((16 * MIB) / 8);
  client.send(text);
  assert.ok((await client.text()) === text);
});

await check("ws: a byte more than the limit is refused with 1009", async (t) => {
  const client = await t.client((await t.serve("weir-serve", ...BIG)).url());
  client.send(Buffer.alloc(16 * MIB + 1));
  assert.equal((await client.closed).code, 1009);
});

await check("ws: text in fragments cut inside of a character, pings between", async (t) => {
  const client = await t.client((await t.serve("weir-serve")).url());
  const bytes = Buffer.from("Flüsse 🌊 und Wehre");
  for (let i = 0; i < bytes.length; i++) {
    client.send(bytes.subarray(i, i + 1), { binary: false, fin: i + 1 === bytes.length });
    client.ws.ping(`after ${i}`);
  }
  assert.equal(await client.text(), String(bytes));
  assert.deepEqual(await client.pongs.take(2), ["after 0", "after 1"]);
});

await check("ws: 16 MiB of binary in 1,000 fragments, empty ones among them", async (t) => {
  const client = await t.client((await t.serve("weir-serve", ...BIG)).url());
  const bytes = randomBytes(16 * MIB);
  const step = Math.ceil(bytes.length / 500);
  for (let at = 0; at < bytes.length; at += step) {
    client.send(bytes.subarray(at, at + step), { fin: false });
    client.send(Buffer.alloc(0), { fin: at + step >= bytes.length });
  }
  assert.ok((await client.binary()).equals(bytes));
});

await check("ws: 5,000 messages at once come back in order", async (t) => {
  const client = await t.client((await t.serve("weir-serve")).url());
  const texts = Array.from({ length: 5000 }, (_, i) => `message ${i}`);
  for (const text of texts) client.send(text);
  assert.deepEqual(await client.texts(texts.length), texts);
});

await check("ws: text that is not UTF-8 is refused with 1007", async (t) => {
  const client = await t.client((await t.serve("weir-serve")).url());
  client.send(Buffer.from([0x61, 0xc3, 0x28]), { binary: false });
  assert.equal((await client.closed).code, 1007);
});
