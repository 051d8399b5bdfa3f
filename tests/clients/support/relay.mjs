// A TCP relay in front of a server that sees the control frames of one connection: a browser tells
// no script of pings. Only small frames may pass, each in a segment of its own.

import { connect, createServer } from "node:net";
import { Inbox } from "./inbox.mjs";

const PING = 0x89;
const PONG = 0x8a;

function forward(from, to, opcode, frames) {
  from.on("data", (bytes) => {
    if (bytes[0] === opcode) frames.push(bytes);
    to.write(bytes);
  });
  from.on("end", () => to.end());
  from.on("error", () => to.destroy());
}

export async function relay(port) {
  const pings = new Inbox();
  const pongs = new Inbox();
  const listener = createServer((client) => {
    const server = connect(port, "127.0.0.1");
    forward(server, client, PING, pings);
    forward(client, server, PONG, pongs);
  });
  await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));
  return { port: listener.address().port, pings, pongs, close: () => listener.close() };
}
