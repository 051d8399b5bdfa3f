// Node.js's own WebSocket, which keeps one zlib stream for all messages of a connection, whatever
// was agreed: once it has seen a final block it reads empty messages.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { check } from "./support/check.mjs";
import { Inbox } from "./support/inbox.mjs";

const FLAG = "--experimental-websocket"; // before Node.js 22

async function connect(t, url) {
  const socket = new WebSocket(url);
  t.atEnd(() => socket.close());
  const messages = new Inbox();
  socket.onmessage = (event) => messages.push(event.data);
  socket.onclose = (event) => messages.end(`closed with ${event.code} ${event.reason}`);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error(`no connection to ${url}`));
  });
  return { socket, messages };
}

// Records alike enough to be compressed, and each a different one.
function texts(count, length) {
  return Array.from({ length: count }, (_, i) =>
    JSON.stringify({ round: i, rows: Array(length).fill(`row ${i} of the table`) }),
  );
}

async function everyMessageArrives() {
  for (const option of ["--deflate", "--deflate-takeover"]) {
    for (const mode of ["echo", "all", "loop"]) {
      await check(`node: every message of --mode ${mode} ${option} arrives`, async (t) => {
        const server = await t.serve("weir-serve", "--mode", mode, option);
        const clients = [await connect(t, server.url()), await connect(t, server.url())];
        assert.match(clients[0].socket.extensions, /^permessage-deflate/);
        const hearers = mode === "echo" ? clients.slice(0, 1) : clients;
        const said = [...texts(10, 100), ...texts(10, 3), ...texts(5, 5000)];
        for (const text of said) clients[0].socket.send(text);
        for (const { messages } of hearers) {
          for (const text of said) assert.equal(await messages.next(), text);
        }
      });
    }
  }
}

if (globalThis.WebSocket !== undefined) {
  await everyMessageArrives();
} else if (process.execArgv.includes(FLAG)) {
  console.log(`SKIPPED node: no WebSocket in Node.js ${process.version}`);
} else {
  const options = ["--no-warnings", FLAG, ...process.argv.slice(1)];
  process.exitCode = spawnSync(process.execPath, options, { stdio: "inherit" }).status;
}
