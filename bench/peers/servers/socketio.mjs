// Socket.IO on Node.js: PORT MODE. It speaks its own protocol over WebSocket and long polling, so
// only clients of that protocol compare it. An event `message` is answered by one of the same name
// and arguments; one that asks for an acknowledgement gets it.
import { createServer } from "node:http";
import { Server } from "socket.io";

const [port, mode] = process.argv.slice(2);

const http = createServer();
const io = new Server(http, {
  maxHttpBufferSize: 64 << 20,
  perMessageDeflate: false,
  serveClient: false,
});

const handlers = {
  echo: (socket, data) => socket.emit("message", data),
  all: (socket, data) => io.emit("message", data),
  others: (socket, data) => socket.broadcast.emit("message", data),
  loop: (socket, data) => {
    for (const client of io.sockets.sockets.values()) client.emit("message", data);
  },
};

const handle = handlers[mode];
if (!handle) throw new Error(`no such mode: ${mode}`);

io.on("connection", (socket) => {
  socket.on("message", (data, acknowledge) => {
    if (acknowledge) acknowledge(data);
    else handle(socket, data);
  });
});
http.listen({ host: "127.0.0.1", port: Number(port), backlog: 4096 }, () =>
  console.log("listening"),
);
