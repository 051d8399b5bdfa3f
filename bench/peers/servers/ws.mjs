// ws on Node.js, with bufferutil: PORT MODE CERT KEY DEFLATE; a PORT with a slash is the path of a
// unix socket. It has no publish: all is a send for each client, and a deflate for each.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { WebSocket, WebSocketServer } from "ws";

const [port, mode, cert = "-", key = "-", deflate = "off"] = process.argv.slice(2);

const place = port.includes("/") ? { path: port } : { host: "127.0.0.1", port: Number(port) };
const http =
  cert === "-"
    ? createServer()
    : createSecureServer({ cert: readFileSync(cert), key: readFileSync(key) });
const keepsNothing = deflate === "shared";
const server = new WebSocketServer({
  server: http,
  perMessageDeflate: deflate !== "off" && {
    zlibDeflateOptions: { level: 1 },
    serverNoContextTakeover: keepsNothing,
    clientNoContextTakeover: keepsNothing,
  },
  maxPayload: 64 << 20,
});
http.listen({ ...place, backlog: 4096 });

// In bystander only what came by the path /all is broadcast, to those who came by it.
const receivers = mode === "bystander" ? new Set() : server.clients;

function toAll(data, binary, except) {
  for (const client of receivers) {
    if (client !== except && client.readyState === WebSocket.OPEN) client.send(data, { binary });
  }
}

const handlers = {
  echo: (socket, data, binary) => socket.send(data, { binary }),
  all: (socket, data, binary) => toAll(data, binary),
  others: (socket, data, binary) => toAll(data, binary, socket),
  loop: (socket, data, binary) => toAll(data, binary),
};

if (mode !== "bystander" && !(mode in handlers)) throw new Error(`no such mode: ${mode}`);

server.on("connection", (socket, request) => {
  const broadcasts = mode === "bystander" && request.url === "/all";
  const handle = mode === "bystander" ? handlers[broadcasts ? "all" : "echo"] : handlers[mode];
  if (broadcasts) {
    receivers.add(socket);
    socket.on("close", () => receivers.delete(socket));
  }
  socket.on("message", (data, binary) => handle(socket, data, binary));
  socket.on("error", () => {});
});
server.on("listening", () => console.log("listening"));
