// npm's ws with permessage-deflate, plain and over TLS: what is agreed, and all messages both ways.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { check } from "./support/check.mjs";

const MIB = 1 << 20;
const BIG = ["--max-message", String(16 * MIB), "--queue-bytes", String(32 * MIB)];
const ALL = ["--deflate-threshold", "1"];
const LENGTHS = [0, 1, 2, 125, 126, 1023, 1024, 16384, 65535, 65536, 70000, MIB];
const PMD = "permessage-deflate";

// Text that compresses about as JSON does, of so many bytes.
function json(length, seed = 0) {
  let text = "";
  for (let i = seed; text.length < length; i++)
    text += `{"id":${i},"price":${(i * 7919) % 10007},"side":"${i % 3 ? "buy" : "sell"}"},`;
  return text.slice(0, length);
}

function parameters(client) {
  const { server_no_context_takeover, client_no_context_takeover, server_max_window_bits,
    client_max_window_bits } = client.ws._extensions[PMD].params;
  return [!server_no_context_takeover, !client_no_context_takeover, server_max_window_bits,
    client_max_window_bits];
}

async function echo(client, data) {
  client.send(data);
  const { data: back, binary } = await client.messages.next();
  assert.equal(binary, typeof data !== "string");
  assert.ok(Buffer.from(data).equals(back), `${data.length} of ${typeof data} came back otherwise`);
}

// Each length as text and as bytes that do not compress, twice, and many small ones at once.
async function echo_all(client) {
  for (const length of LENGTHS) {
    for (const data of [json(length), randomBytes(length), json(length), Buffer.alloc(length)])
      await echo(client, data);
  }
  const many = Array.from({ length: 500 }, (_, i) => json(i, i));
  for (const text of many) client.send(text);
  assert.deepEqual(await client.texts(many.length), many);
}

// What a client offers, and what a server of each kind agrees on: [server's takeover, client's
// takeover, server's window, client's window].
const rows = [
  ["its defaults", {}, [false, false, , ], [true, true, , ]],
  ["no takeover of its own", { clientNoContextTakeover: true }, [false, false, , ],
    [true, false, , ]],
  ["no takeover of the server's", { serverNoContextTakeover: true }, [false, false, , ],
    [false, true, , ]],
  ["a window of 9 bits for the server", { serverMaxWindowBits: 9 }, [false, false, 9, ],
    [true, true, 9, ]],
  ["a window of 10 bits of its own", { clientMaxWindowBits: 10 }, [false, false, , 10],
    [true, true, , 10]],
  ["everything", { serverMaxWindowBits: 12, clientMaxWindowBits: 9, serverNoContextTakeover: true,
    clientNoContextTakeover: true }, [false, false, 12, 9], [false, false, 12, 9]],
];

for (const [what, offer, shared, dedicated] of rows) {
  for (const [option, expected] of [["--deflate", shared], ["--deflate-takeover", dedicated]]) {
    await check(`ws: ${option}: a client that offers ${what}`, async (t) => {
      const server = await t.serve("weir-serve", option, ...ALL);
      const perMessageDeflate = { threshold: 0, ...offer };
      const client = await t.client(server.url(), { perMessageDeflate });
      const agreed = parameters(client);
      for (const i of [0, 1, 2, 3]) assert.equal(agreed[i], expected[i], `parameter ${i}`);
      await echo_all(client);
      await client.close();
      const counts = (await server.finish()).at(-1);
      const [, compressed, inflated] = /^deflate: (\d+) compressed, (\d+) inflated/.exec(counts);
      assert.equal(Number(inflated), 4 * LENGTHS.length + 500, counts);
      assert.ok(Number(compressed) > 400, counts); // the others do not become smaller
    });
  }
}

await check("ws: what is not offered or not wanted is not agreed", async (t) => {
  const none = await t.serve("weir-serve");
  const some = await t.serve("weir-serve", "--deflate");
  for (const [server, offers] of [[none, true], [some, false], [none, false]]) {
    const client = await t.client(server.url(), { perMessageDeflate: offers });
    assert.equal(client.ws.extensions, "");
    await echo(client, json(5000));
  }
});

await check("ws: a server that only inflates", async (t) => {
  const server = await t.serve("weir-serve", "--deflate-takeover", "--deflate-threshold", "0");
  const client = await t.client(server.url(), { perMessageDeflate: { threshold: 0 } });
  for (let i = 0; i < 10; i++) await echo(client, json(5000));
  await client.close();
  assert.equal((await server.finish()).at(-1), "deflate: 0 compressed, 10 inflated, 0 twins");
});

for (const option of ["--deflate", "--deflate-takeover"]) {
  await check(`ws: ${option}: 16 MiB, and a byte more`, async (t) => {
    const server = await t.serve("weir-serve", option, ...BIG, "--deflate-level", "6");
    const client = await t.client(server.url(), { perMessageDeflate: {}, maxPayload: 0 });
    for (const data of [json(16 * MIB), randomBytes(16 * MIB)]) await echo(client, data);
    client.send(Buffer.alloc(16 * MIB + 1));
    assert.equal((await client.closed).code, 1009);
  });

  await check(`ws: ${option}: fragments with a ping between them`, async (t) => {
    const server = await t.serve("weir-serve", option, ...ALL);
    const client = await t.client(server.url(), { perMessageDeflate: { threshold: 0 } });
    for (let round = 0; round < 3; round++) {
      const parts = [json(100), "", json(70000, 5), "und Flüsse 🌊"];
      parts.forEach((part, i) => {
        client.send(part, { fin: i === parts.length - 1 });
        client.ws.ping(String(i));
      });
      assert.equal(await client.text(), parts.join(""));
      assert.deepEqual(await client.pongs.take(parts.length), ["0", "1", "2", "3"]);
    }
  });

  await check(`ws: ${option}: broadcasts to clients of all kinds, in order`, async (t) => {
    const server = await t.serve("weir-serve", "--mode", "all", option, ...ALL, "--loops", "2",
      "--queue-bytes", String(64 * MIB));
    const kinds = [false, true, { serverMaxWindowBits: 9 }, { serverNoContextTakeover: true },
      { clientMaxWindowBits: 9 }, { serverMaxWindowBits: 12, serverNoContextTakeover: true }];
    const clients = [];
    for (const perMessageDeflate of [...kinds, ...kinds])
      clients.push(await t.client(server.url(), { perMessageDeflate }));
    const sent = Array.from({ length: 300 }, (_, i) => json([3, 900, 5000, 40000][i % 4], i));
    for (const text of sent) clients[0].send(text);
    for (const client of clients) assert.deepEqual(await client.texts(sent.length), sent);
  });

  await check(`ws: ${option}: over TLS`, async (t) => {
    const certificates = t.certificates();
    const server = await t.serve("weir-serve", option, ...ALL, ...certificates.options());
    const options = { ca: certificates.ca, perMessageDeflate: { threshold: 0 } };
    const client = await t.client(server.url(), options);
    assert.equal(client.ws.extensions, PMD);
    await echo_all(client);
  });
}
