// A built program that listens on a port of its own choice, or on a unix socket as its arguments
// say: its lines, and its end.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Inbox } from "./inbox.mjs";
import { within } from "./within.mjs";

const BUILD = process.env.WEIR_BUILD ?? fileURLToPath(new URL("../../../build", import.meta.url));
const STOP_MS = 10_000;
const LISTENING = /^listening on (?:(\w+):\/\/[\w.]+:(\d+)\/?)?(?: and )?(?:unix:(.+))?$/;

// Starts a program without waiting for anything.
export function run(name, ...args) {
  const child = spawn(`${BUILD}/bin/${name}`, args, { stdio: ["ignore", "pipe", "pipe"] });
  const lines = new Inbox();
  const errors = [];
  child.stderr.on("data", (bytes) => errors.push(bytes));
  const complaints = new Inbox();
  createInterface({ input: child.stderr }).on("line", (line) => complaints.push(line));
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  const ended = new Promise((resolve, reject) => {
    child.on("error", (error) => {
      lines.end(error.message);
      reject(error);
    });
    child.on("close", (status, signal) => {
      const end = { status: status ?? signal, errors: Buffer.concat(errors).toString() };
      lines.end(`${name} ended with ${end.status}: ${end.errors}`);
      resolve(end);
    });
  });
  ended.catch(() => {});
  return { child, lines, complaints, ended };
}

export class Server {
  #program;

  static async start(name, ...args) {
    const free = args.includes("--unix") ? [] : name === "weir-serve" ? ["--port", "0"] : ["0"];
    const server = new Server();
    server.#program = run(name, ...free, ...args);
    const first = await server.line();
    const [, scheme, port, path] = LISTENING.exec(first) ?? [];
    server.port = Number(port);
    server.path = path;
    server.scheme = scheme === "wss" || args.includes("--tls-cert") ? "wss" : "ws";
    assert.ok(server.port > 0 || path, `the first line of ${name}: ${first}`);
    return server;
  }

  // The next line of its standard error.
  error() {
    return this.#program.complaints.next();
  }

  signal(name) {
    this.#program.child.kill(name);
  }

  // The next line of its standard output.
  line() {
    return this.#program.lines.next();
  }

  url(path = "/", host = "127.0.0.1") {
    return `${this.scheme}://${host}:${this.port}${path}`;
  }

  // As npm's ws writes it.
  unixUrl(path = "/") {
    return `${this.scheme}+unix:${this.path}:${path}`;
  }

  page(path = "/") {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  // Asks it to end, which it must do without an error; returns its last lines.
  async stop() {
    const { child, ended, lines } = this.#program;
    child.kill("SIGTERM");
    try {
      const { status, errors } = await within(STOP_MS, "the server's end", ended);
      assert.equal(status, 0, `exit status ${status}: ${errors}`);
    } finally {
      child.kill("SIGKILL");
    }
    return lines.rest();
  }
}
