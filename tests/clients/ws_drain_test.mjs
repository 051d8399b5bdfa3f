// npm's ws: a server that ends gracefully on SIGTERM, and at once on the second one.

import assert from "node:assert/strict";
import { request } from "node:http";
import { check } from "./support/check.mjs";

const GOES = { code: 1001, reason: "the server goes away" };

async function clients(t, server, count) {
  return Promise.all(Array.from({ length: count }, () => t.client(server.url())));
}

for (const loops of ["1", "3"]) {
  await check(`ws: ${loops} loops that drain tell each client to go, and end`, async (t) => {
    const server = await t.serve("weir-serve", "--loops", loops, "--drain-ms", "2000");
    const everybody = await clients(t, server, 20);
    const began = Date.now();
    const ended = server.finish();
    const times = await Promise.all(everybody.map(async (client) => {
      assert.deepEqual(await client.closed, GOES);
      return Date.now() - began;
    }));
    const [connections] = await ended;
    assert.match(connections, /^accepted 20, opened 20, closed 20, refused 0, failed 0$/);
    assert.ok(Math.max(...times) - Math.min(...times) > 400, `all at once: ${times}`);
    assert.ok(Date.now() - began < 1900, "it waited though nobody was left");
  });
}

await check("ws: a server that drains still answers", async (t) => {
  const server = await t.serve("weir-serve", "--drain-ms", "60000");
  const everybody = await clients(t, server, 4);
  server.signal("SIGTERM");
  await assert.rejects(t.client(server.url()));
  const client = everybody.at(-1);
  client.send("still there?");
  assert.equal(await client.text(), "still there?");
  await server.finish(); // the second SIGTERM
  for (const each of everybody) assert.equal((await each.closed).code, 1001);
});

await check("http: a server that drains lets go of idle connections", async (t) => {
  const server = await t.serve("weir-serve", "--mode", "chat", "--drain-ms", "60000");
  const socket = await new Promise((resolve, reject) => {
    const asked = request(server.page(), { headers: { Connection: "keep-alive" } }, (response) => {
      response.resume().on("end", () => resolve(response.socket));
    });
    asked.on("error", reject).end();
  });
  const closed = new Promise((resolve) => socket.on("close", resolve));
  await server.finish();
  await closed;
});

await check("ws: weir-serve --lifetime-ms closes with 1001", async (t) => {
  const client = await t.client((await t.serve("weir-serve", "--lifetime-ms", "200")).url());
  assert.deepEqual(await client.closed, { code: 1001, reason: "open for long enough" });
});
