// npm's ws over TLS: messages, certificates, and reloads while connections come and go.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { check } from "./support/check.mjs";

const MIB = 1 << 20;
const BIG = ["--max-message", String(16 * MIB), "--queue-bytes", String(32 * MIB)];

async function echo(client, data) {
  client.send(data);
  const { data: back } = await client.messages.next();
  assert.ok(Buffer.from(data).equals(back), `${data.length} bytes came back otherwise`);
}

function serial(client) {
  return Number(client.ws._socket.getPeerCertificate().serialNumber);
}

for (const version of ["TLSv1.2", "TLSv1.3"]) {
  await check(`wss: messages of every form of length in ${version}`, async (t) => {
    const certificates = t.certificates();
    const server = await t.serve("weir-serve", ...certificates.options(), ...BIG);
    const client = await t.client(server.url(), { ca: certificates.ca, minVersion: version,
      maxVersion: version, perMessageDeflate: false });
    assert.equal(client.ws._socket.getProtocol(), version);
    for (const length of [0, 1, 125, 126, 16384, 65535, 65536, MIB, 16 * MIB])
      await echo(client, randomBytes(length));
    const many = Array.from({ length: 2000 }, (_, i) => `message ${i}`);
    for (const text of many) client.send(text);
    assert.deepEqual(await client.texts(many.length), many);
    assert.deepEqual(await client.close(1000, "done"), { code: 1000, reason: "" });
    assert.equal((await server.finish()).at(-1), "tls: 1 handshakes, 0 failed");
  });
}

await check("wss: a certificate that the client does not trust", async (t) => {
  const certificates = t.certificates();
  const server = await t.serve("weir-serve", ...certificates.options());
  const ca = certificates.read("stranger.pem");
  await assert.rejects(t.client(server.url(), { ca }), /unable to verify the first certificate/);
  const client = await t.client(server.url(), { ca: certificates.ca });
  await echo(client, "still served");
});

await check("wss: clients with, without and with a wrong certificate", async (t) => {
  const certificates = t.certificates();
  const server = await t.serve("weir-serve", ...certificates.options(), "--tls-client-ca",
    certificates.path("ca.pem"));
  const as = (name) => ({ ca: certificates.ca, cert: certificates.read(`${name}.pem`),
    key: certificates.read(`${name}.key`) });
  await echo(await t.client(server.url(), as("client")), "hello");
  await assert.rejects(t.client(server.url(), { ca: certificates.ca }), /certificate required/);
  await assert.rejects(t.client(server.url(), as("foreign")), /alert unknown ca/);
});

await check("wss: wrong files are told, and serving goes on", async (t) => {
  const certificates = t.certificates();
  const server = await t.serve("weir-serve", ...certificates.options());
  certificates.install("foreign"); // good in itself
  server.signal("SIGHUP");
  assert.equal(await server.line(), "certificates read again");
  certificates.mix("server1", "server2");
  server.signal("SIGHUP");
  assert.match(await server.error(), /server.key: the key does not belong to the certificate in /);
  certificates.install("server2");
  server.signal("SIGHUP");
  assert.equal(await server.line(), "certificates read again");
  assert.equal(serial(await t.client(server.url(), { ca: certificates.ca })), 2);
});

// Connects, echoes three times and closes, over and over; how often, and what went wrong, is
// counted. Every certificate that may come is the authority's.
async function come_and_go(url, ca, state) {
  while (!state.over) {
    const opened = new state.Client(url, { ca, perMessageDeflate: false });
    try {
      await opened.opened;
      for (let i = 0; i < 3; i++) await echo(opened, `echo ${i}`);
      assert.equal((await opened.close(1000)).code, 1000);
      state.served();
    } catch (error) {
      state.failures.push(error.message);
    }
  }
}

await check("wss: 20 reloads while 200 connections come and go", async (t) => {
  const certificates = t.certificates();
  const { ca } = certificates;
  const server = await t.serve("weir-serve", "--loops", "2", ...certificates.options());
  const old = [];
  for (let i = 0; i < 10; i++) old.push(await t.client(server.url(), { ca }));
  let wake = () => {};
  const state = { over: false, failures: [], count: 0, Client: old[0].constructor,
    served() {
      this.count++;
      wake();
    } };
  t.atEnd(() => (state.over = true));
  const crowd = Array.from({ length: 200 }, () => come_and_go(server.url(), ca, state));
  for (let reload = 1; reload <= 20; reload++) {
    const before = state.count; // some must come between two reloads
    while (state.count < before + 20) await new Promise((resolve) => (wake = resolve));
    certificates.install(`server${reload % 2 + 1}`);
    server.signal("SIGHUP");
    assert.equal(await server.line(), "certificates read again");
    const fresh = await t.client(server.url(), { ca });
    assert.equal(serial(fresh), reload % 2 + 1, `after reload ${reload}`);
    await Promise.all(old.map((client) => echo(client, `reload ${reload}`)));
  }
  state.over = true;
  await Promise.all(crowd);
  assert.deepEqual(state.failures, []);
  assert.ok(state.count >= 400, `${state.count} connections`);
  for (const client of old) assert.equal(serial(client), 1);
  assert.match((await server.finish()).at(-1), /^tls: \d+ handshakes, 0 failed$/);
}, 200_000);
