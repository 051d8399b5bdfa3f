// npm's ws: the modes of weir-serve, its loops and its addresses.

import assert from "node:assert/strict";
import { check } from "./support/check.mjs";
import { run } from "./support/server.mjs";

async function clients(t, server, count) {
  return Promise.all(Array.from({ length: count }, () => t.client(server.url())));
}

for (const mode of ["all", "loop"]) {
  await check(`ws: weir-serve --mode ${mode} tells everybody`, async (t) => {
    const [a, b, c] = await clients(t, await t.serve("weir-serve", "--mode", mode), 3);
    a.send("to all");
    for (const client of [a, b, c]) assert.equal(await client.text(), "to all");
    b.send(Buffer.from("bytes"));
    for (const client of [a, b, c]) assert.equal(String(await client.binary()), "bytes");
  });
}

// A second message, of another sender, shows that the first was not sent back to its own.
await check("ws: weir-serve --mode others tells everybody but the sender", async (t) => {
  const [a, b, c] = await clients(t, await t.serve("weir-serve", "--mode", "others"), 3);
  a.send("from a");
  assert.equal(await b.text(), "from a");
  b.send("from b");
  assert.equal(await a.text(), "from b");
  assert.deepEqual(await c.texts(2), ["from a", "from b"]);
});

await check("ws: weir-serve --mode chat is the tutorial's server", async (t) => {
  const client = await t.client((await t.serve("weir-serve", "--mode", "chat")).url());
  client.send("hello");
  assert.deepEqual(await client.texts(2), [
    "Welcome to the websocket server",
    "You sent -> hello",
  ]);
});

await check("ws: weir-serve --mode sink answers nothing", async (t) => {
  const server = await t.serve("weir-serve", "--mode", "sink");
  const client = await t.client(server.url());
  client.send("gone");
  client.ws.ping("behind it");
  assert.equal(await client.pongs.next(), "behind it");
  await client.close(1000);
  assert.deepEqual(client.messages.rest(), []);
  assert.equal((await server.finish())[1], "messages: 1 received, 0 sent, 0 dropped");
});

await check("ws: weir-serve --slow-policy drop-oldest keeps the newest", async (t) => {
  const server = await t.serve("weir-serve", "--mode", "others", "--slow-policy", "drop-oldest",
    "--queue-messages", "4");
  const [slow, busy] = await clients(t, server, 2);
  slow.ws.pause();
  const count = 1000, block = "x".repeat(32768);
  for (let i = 0; i < count; i++) busy.send(`${i} ${block}`);
  busy.ws.ping("all are there");
  await busy.pongs.next();
  slow.ws.resume();
  const numbers = [];
  while (numbers.at(-1) !== count - 1) numbers.push(parseInt(await slow.text(), 10));
  assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b));
  assert.deepEqual(numbers.slice(-3), [count - 3, count - 2, count - 1]);
  assert.ok(numbers.length < count);
  const { status, errors } = await run("weir-serve", "--slow-policy", "wait").ended;
  assert.equal(status, 2);
  assert.match(errors, /wait: no such policy/);
});

await check("ws: a broadcast over two loops reaches each client once", async (t) => {
  const server = await t.serve("weir-serve", "--mode", "all", "--loops", "2");
  const everybody = await clients(t, server, 16);
  everybody.forEach((client, i) => client.send(`from ${i}`));
  const expected = everybody.map((_, i) => `from ${i}`).sort();
  for (const client of everybody) {
    assert.deepEqual((await client.texts(everybody.length)).sort(), expected);
  }
  await Promise.all(everybody.map((client) => client.close(1000)));
  assert.deepEqual(everybody.flatMap((client) => client.messages.rest()), []);
});

async function echoes(t, url) {
  const client = await t.client(url);
  client.send(url);
  assert.equal(await client.text(), url);
}

await check("ws: one port for IPv4, IPv6 and their name", async (t) => {
  const server = await t.serve("weir-serve");
  for (const host of ["127.0.0.1", "[::1]", "localhost"]) await echoes(t, server.url("/", host));
});

const hosts = { "127.0.0.1": ["127.0.0.1", "[::1]"], "::1": ["[::1]", "127.0.0.1"] };
for (const [host, [served, other]] of Object.entries(hosts)) {
  await check(`ws: weir-serve --host ${host} listens there alone`, async (t) => {
    const server = await t.serve("weir-serve", "--host", host);
    await echoes(t, server.url("/any/path?and=query", served));
    await assert.rejects(t.client(server.url("/", other)), { code: "ECONNREFUSED" });
  });
}

await check("ws: a port in use is refused, with two loops too", async (t) => {
  const server = await t.serve("weir-serve", "--loops", "2");
  const second = run("weir-serve", "--port", String(server.port), "--loops", "2");
  t.atEnd(() => second.child.kill("SIGKILL"));
  const { status, errors } = await second.ended;
  assert.equal(status, 1);
  assert.match(errors, /in use/);
});
