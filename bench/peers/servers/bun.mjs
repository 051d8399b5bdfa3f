// Bun.serve and its publish: PORT MODE CERT KEY DEFLATE.
const [port, mode, cert = "-", key = "-", deflate = "off"] = process.argv.slice(2);
const packs = deflate !== "off";

const clients = new Set();

function toEach(message) {
  for (const client of clients) client.send(message, packs);
}

// In bystander only what came by the path /all is broadcast.
const handlers = {
  echo: (socket, message) => socket.send(message, packs),
  all: (socket, message) => server.publish("all", message, packs),
  others: (socket, message) => socket.publish("all", message, packs),
  loop: (socket, message) => toEach(message),
  bystander: (socket, message) =>
    socket.data.broadcasts
      ? server.publish("all", message, packs)
      : socket.send(message, packs),
};

const handle = handlers[mode];
if (!handle) throw new Error(`no such mode: ${mode}`);
const subscribes = (socket) =>
  mode === "all" || mode === "others" || (mode === "bystander" && socket.data.broadcasts);

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  ...(cert === "-" ? {} : { tls: { cert: Bun.file(cert), key: Bun.file(key) } }),
  fetch(request, server) {
    const broadcasts = mode === "bystander" && new URL(request.url).pathname === "/all";
    if (server.upgrade(request, { data: { broadcasts } })) return undefined;
    return new Response("a WebSocket server\n", { status: 426 });
  },
  websocket: {
    perMessageDeflate: packs && {
      compress: deflate === "shared" ? "shared" : "dedicated",
      decompress: deflate === "shared" ? "shared" : "dedicated",
    },
    maxPayloadLength: 64 << 20,
    backpressureLimit: 1 << 30,
    idleTimeout: 0,
    sendPings: false,
    open(socket) {
      if (subscribes(socket)) socket.subscribe("all");
      if (mode === "loop") clients.add(socket);
    },
    message: handle,
    close(socket) {
      clients.delete(socket);
    },
  },
});
console.log("listening");
