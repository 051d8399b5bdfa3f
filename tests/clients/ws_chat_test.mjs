// npm's ws on the tutorial's server, in C++ and in C: its texts, its broadcasts and its lines.

import assert from "node:assert/strict";
import { check } from "./support/check.mjs";

const WELCOME = "Welcome to the websocket server";
const CAME = "A new client connected!";

// A client that was welcomed, and whose coming was printed.
async function join(t, server, path) {
  const client = await t.client(server.url(path));
  assert.equal(await client.text(), WELCOME);
  assert.equal(await server.line(), CAME);
  return client;
}

async function answers(t, server) {
  const client = await join(t, server, "/");
  for (const text of ["hello", "", "Grüße 🌊", "x".repeat(100_000)]) {
    client.send(text);
    assert.equal(await client.text(), `You sent -> ${text}`);
  }
  client.send(Buffer.from([0, 1, 254, 255]));
  assert.deepEqual([...(await client.binary())], [0, 1, 254, 255]);
}

async function welcomesEverywhere(t, server) {
  for (const path of ["/all", "/others", "/elsewhere", "/a/b?c=d"]) {
    await join(t, server, path);
  }
}

async function tellsAll(t, server) {
  const [a, b, c] = [await join(t, server, "/all"), await join(t, server, "/all"),
    await join(t, server, "/")];
  a.send("to all");
  for (const client of [a, b, c]) assert.equal(await client.text(), "to all");
  b.send(Buffer.from("bytes"));
  for (const client of [a, b, c]) assert.equal(String(await client.binary()), "bytes");
}

async function tellsOthers(t, server) {
  const [a, b] = [await join(t, server, "/others"), await join(t, server, "/others")];
  a.send("from a");
  assert.equal(await b.text(), "from a");
  b.send("from b");
  assert.equal(await a.text(), "from b");
}

async function printsLeavers(t, server) {
  for (const [args, line] of [
    [[1000, "goodbye"], "Client disconnected (1000) goodbye"],
    [[4321, "für immer"], "Client disconnected (4321) für immer"],
    [[1001], "Client disconnected (1001)"],
    [[], "Client disconnected (1005)"],
  ]) {
    const client = await join(t, server, "/");
    const closed = client.close(...args);
    assert.equal((await server.line()).trimEnd(), line);
    assert.deepEqual(await closed, { code: args[0] ?? 1005, reason: "" });
  }
}

async function printsBreaks(t, server) {
  const client = await join(t, server, "/all");
  client.ws.terminate();
  assert.equal((await server.line()).trimEnd(), "Client disconnected (1006)");
}

async function printsErrors(t, server) {
  const client = await join(t, server, "/");
  client.send(Buffer.from([0xff]), { binary: false });
  assert.match(await server.line(), /\w+ \w+/);
  assert.match(await server.line(), /^Client disconnected \(1007\) \w+/);
  assert.equal((await client.closed).code, 1007);
}

async function servesThePage(t, server) {
  const page = await fetch(server.page());
  assert.equal(page.status, 200);
  assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
  assert.match(await page.text(), /<title>weir<\/title>[^]*<\/html>\n?$/);
  for (const path of ["/all", "/elsewhere"]) {
    assert.equal((await fetch(server.page(path))).status, 426, path);
  }
}

for (const app of ["chat", "chat-c"]) {
  const checkApp = (name, body) =>
    check(`ws: ${app}: ${name}`, async (t) => body(t, await t.serve(app)));
  await checkApp("text is answered, binary is echoed", answers);
  await checkApp("every path welcomes", welcomesEverywhere);
  await checkApp("/all tells everybody", tellsAll);
  await checkApp("/others tells everybody but the sender", tellsOthers);
  await checkApp("a leaver's code and reason are printed", printsLeavers);
  await checkApp("a connection that breaks off is printed as 1006", printsBreaks);
  await checkApp("a client's error is printed before it leaves", printsErrors);
  await checkApp("GET serves the page on / alone", servesThePage);
}
