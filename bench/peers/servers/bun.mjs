// Bun.serve and its publish: PORT MODE.
const [port, mode] = process.argv.slice(2);

const clients = new Set();

function toEach(message) {
  for (const client of clients) client.send(message);
}

// In bystander only what came by the path /all is broadcast.
const handlers = {
  echo: (socket, message) => socket.send(message),
  all: (socket, message) => server.publish("all", message),
  others: (socket, message) => socket.publish("all", message),
  loop: (socket, message) => toEach(message),
  bystander: (socket, message) =>
    socket.data.broadcasts ? server.publish("all", message) : socket.send(message),
};

const handle = handlers[mode];
if (!handle) throw new Error(`no such mode: ${mode}`);
const subscribes = (socket) =>
  mode === "all" || mode === "others" || (mode === "bystander" && socket.data.broadcasts);

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  fetch(request, server) {
    const broadcasts = mode === "bystander" && new URL(request.url).pathname === "/all";
    if (server.upgrade(request, { data: { broadcasts } })) return undefined;
    return new Response("a WebSocket server\n", { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
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
