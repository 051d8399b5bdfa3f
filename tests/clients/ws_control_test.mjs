// npm's ws: pings and closing, both ways.

import assert from "node:assert/strict";
import { check } from "./support/check.mjs";

await check("ws: a client's pings are answered with their payload", async (t) => {
  const client = await t.client((await t.serve("weir-serve")).url());
  const payloads = ["", "weir", "p".repeat(125)];
  for (const payload of payloads) client.ws.ping(payload);
  assert.deepEqual(await client.pongs.take(3), payloads);
});

await check("ws: the server pings, and pings again after the pong", async (t) => {
  const client = await t.client((await t.serve("weir-serve", "--ping-ms", "100")).url());
  assert.deepEqual(await client.pings.take(3), ["", "", ""]);
  client.send("still here");
  assert.equal(await client.text(), "still here");
});

await check("ws: a client's close is answered with its code", async (t) => {
  const server = await t.serve("weir-serve");
  for (const code of [1000, 1001, 1014, 3000, 4999]) {
    const client = await t.client(server.url());
    assert.deepEqual(await client.close(code, "see you"), { code, reason: "" });
  }
  const silent = await t.client(server.url());
  assert.deepEqual(await silent.close(), { code: 1005, reason: "" });
});

await check("ws: what was sent before a close is answered before it", async (t) => {
  const client = await t.client((await t.serve("weir-serve")).url());
  client.send("last");
  const closed = client.close(1000);
  assert.equal(await client.text(), "last");
  assert.equal((await closed).code, 1000);
});

await check("ws: the server closes an idle connection with 1001", async (t) => {
  const client = await t.client((await t.serve("weir-serve", "--idle-ms", "200")).url());
  assert.deepEqual(await client.closed, { code: 1001, reason: "idle for too long" });
});

await check("ws: a server that stops closes with 1001", async (t) => {
  const server = await t.serve("weir-serve");
  const client = await t.client(server.url());
  await server.finish();
  assert.deepEqual(await client.closed, { code: 1001, reason: "the server stops" });
});

await check("ws: the server counts what it served", async (t) => {
  const server = await t.serve("weir-serve");
  const client = await t.client(server.url());
  client.send("counted");
  await client.text();
  await client.close(1000);
  const [connections, messages, bytes] = await server.finish();
  assert.equal(connections, "accepted 1, opened 1, closed 1, refused 0, failed 0");
  assert.equal(messages, "messages: 1 received, 1 sent, 0 dropped");
  assert.match(bytes, /^bytes: \d+ received, \d+ sent$/);
});
