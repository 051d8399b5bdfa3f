// npm's ws, Node.js's http and curl over unix sockets; and what becomes of a socket's file.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, lstatSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { join } from "node:path";
import { promisify } from "node:util";
import { check } from "./support/check.mjs";
import { folder } from "./support/folder.mjs";
import { run } from "./support/server.mjs";

const MIB = 1 << 20;
const BIG = ["--max-message", String(16 * MIB), "--queue-bytes", String(32 * MIB)];
const execute = promisify(execFile);

function serve(t, path, ...options) {
  return t.serve("weir-serve", "--unix", path, ...options);
}

async function echoes(client, data) {
  client.send(data);
  const { data: back, binary } = await client.messages.next();
  assert.equal(binary, typeof data !== "string");
  assert.ok(Buffer.from(data).equals(back), `${data.length} came back otherwise`);
}

async function talk(client) {
  for (const length of [0, 1, 125, 126, 65535, 65536, MIB, 16 * MIB])
    await echoes(client, randomBytes(length));
  await echoes(client, "Flüsse 🌊");
  const many = Array.from({ length: 2000 }, (_, i) => `message ${i}`);
  for (const text of many) client.send(text);
  assert.deepEqual(await client.texts(many.length), many);
  client.ws.ping("over a file");
  assert.equal(await client.pongs.next(), "over a file");
  assert.deepEqual(await client.close(1000, "done"), { code: 1000, reason: "" });
}

for (const [loops, name] of [["1", "one loop"], ["2", "two loops"]]) {
  await check(`unix: messages, pings and closing, ${name}`, async (t) => {
    const server = await serve(t, join(folder(t), "weir"), "--loops", loops, ...BIG);
    const clients = await Promise.all([1, 2, 3].map((n) => t.client(server.unixUrl(`/${n}`))));
    await Promise.all(clients.map(talk));
    const [counts] = await server.finish();
    assert.match(counts, /^accepted 3, opened 3, closed 3, refused 0, failed 0/);
  });
}

await check("unix: the server closes, with code and reason", async (t) => {
  const server = await serve(t, join(folder(t), "weir"), "--idle-ms", "200");
  const client = await t.client(server.unixUrl());
  assert.deepEqual(await client.closed, { code: 1001, reason: "idle for too long" });
  const other = await t.client(server.unixUrl());
  other.send(Buffer.alloc(MIB + 1));
  assert.equal((await other.closed).code, 1009);
});

await check("unix: beside a port, and broadcasts over both", async (t) => {
  const path = join(folder(t), "weir");
  const server = await serve(t, path, "--port", "0", "--mode", "all", "--loops", "2");
  const clients = [await t.client(server.url()), await t.client(server.unixUrl())];
  clients[0].send("from the port");
  for (const client of clients) assert.equal(await client.text(), "from the port");
  clients[1].send("from the file");
  for (const client of clients) assert.equal(await client.text(), "from the file");
});

await check("unix: wss", async (t) => {
  const certificates = t.certificates();
  const server = await serve(t, join(folder(t), "weir"), ...certificates.options(), ...BIG);
  const agent = new https.Agent({ socketPath: server.path, ca: certificates.ca });
  const client = await t.client("wss://localhost/", { agent, perMessageDeflate: false });
  assert.ok(client.ws._socket.encrypted && client.ws._socket.authorized);
  await talk(client);
});

// A request's status and body, and whether its connection was used before.
function get(options) {
  return new Promise((resolve, reject) => {
    const request = http.get(options, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve({ status: response.statusCode, body: Buffer.concat(parts),
        reused: request.reusedSocket }));
    });
    request.on("error", reject);
  });
}

// A server of one file, of a megabyte.
async function site(t, name = join(folder(t), "weir")) {
  const data = randomBytes(MIB);
  const files = folder(t);
  writeFileSync(join(files, "file"), data);
  return { data, server: await serve(t, name, "--static", files) };
}

await check("unix: Node.js's http, over a kept connection", async (t) => {
  const { data, server } = await site(t);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.atEnd(() => agent.destroy());
  const options = { agent, socketPath: server.path, path: "/file" };
  for (const reused of [false, true, true]) {
    const answer = await get(options);
    assert.deepEqual([answer.status, answer.reused], [200, reused]);
    assert.ok(answer.body.equals(data));
  }
  assert.equal((await get({ ...options, path: "/none" })).status, 404);
});

// Gets the file twice; how many connections that took, curl says.
async function curl(t, option, server, data) {
  const body = join(folder(t), "body");
  const once = ["-o", body, "http://localhost/file"];
  const { stdout } = await execute("curl", ["-sSf", option, server.path.replace("@", ""),
    "-w", "%{http_code}:%{num_connects} ", ...once, ...once]);
  assert.ok(readFileSync(body).equals(data));
  return stdout;
}

await check("unix: curl, over a kept connection", async (t) => {
  const { data, server } = await site(t);
  assert.equal(await curl(t, "--unix-socket", server, data), "200:1 200:0 ");
});

// curl 7.88 takes a connection to such a name for one that is not made yet.
await check("unix: curl, and a name without a file", async (t) => {
  const { data, server } = await site(t, `@weir-test-${process.pid}`);
  assert.match(await curl(t, "--abstract-unix-socket", server, data), /^200:1 200:[01] $/);
});

// Tries to start a server where it must not; returns what it says.
async function refused(t, path) {
  const second = run("weir-serve", "--unix", path);
  t.atEnd(() => second.child.kill("SIGKILL"));
  const { status, errors } = await second.ended;
  assert.equal(status, 1);
  return errors;
}

for (const name of ["a path", "a name"]) {
  await check(`unix: ${name} that is served is refused to others`, async (t) => {
    const path = name === "a path" ? join(folder(t), "weir") : `@weir-test-${process.pid}`;
    const server = await serve(t, path);
    assert.match(await refused(t, path), /in use/);
    const { stdout } = await execute("curl", ["-sS", "-o", "/dev/null", "-w", "%{http_code}",
      path[0] === "@" ? "--abstract-unix-socket" : "--unix-socket", path.replace("@", ""),
      "http://localhost/"]);
    assert.equal(stdout, "426");
    await server.finish();
  });
}

await check("unix: a killed server's file is replaced; none is left at the end", async (t) => {
  const path = join(folder(t), "weir");
  const killed = run("weir-serve", "--unix", path);
  await killed.lines.next();
  killed.child.kill("SIGKILL");
  await killed.ended;
  assert.ok(lstatSync(path).isSocket());
  const server = await serve(t, path, "--loops", "2");
  const client = await t.client(server.unixUrl());
  await echoes(client, "to its successor");
  await client.close(1000);
  await server.finish();
  assert.ok(!existsSync(path));
});

await check("unix: any other file is left alone", async (t) => {
  const path = join(folder(t), "precious");
  writeFileSync(path, "data");
  await refused(t, path);
  assert.ok(lstatSync(path).isFile());
});

await check("unix: the file has the permissions that were asked for", async (t) => {
  const path = join(folder(t), "weir");
  const server = await serve(t, path, "--unix-mode", "0620");
  assert.equal(lstatSync(path).mode & 0o7777, 0o620);
  await echoes(await t.client(server.unixUrl()), "permitted");
});
