// Runs checks one after the other, each with its own servers and clients, and prints a line of
// each: ok, FAILED or SKIPPED. The process fails when a check has.

import { Certificates } from "./certificates.mjs";
import { Client } from "./client.mjs";
import { Server } from "./server.mjs";
import { within } from "./within.mjs";

const DEADLINE_MS = 20_000;

// What one check has started; the last started ends first.
class Scope {
  #endings = [];

  atEnd(ending) {
    this.#endings.unshift(ending);
  }

  certificates() {
    const certificates = new Certificates();
    this.atEnd(() => certificates.remove());
    return certificates;
  }

  async serve(name, ...args) {
    const server = await Server.start(name, ...args);
    let last;
    server.finish = () => (last ??= server.stop());
    this.atEnd(() => server.finish());
    return server;
  }

  async client(url, options) {
    const client = new Client(url, options);
    this.atEnd(() => client.ws.terminate());
    await client.opened;
    return client;
  }

  async end() {
    let problem = null;
    for (const ending of this.#endings) {
      try {
        await ending();
      } catch (error) {
        problem ??= error;
      }
    }
    if (problem) throw problem;
  }
}

async function attempt(body, deadline) {
  const scope = new Scope();
  let problem = null;
  try {
    await within(deadline, "the check", body(scope));
  } catch (error) {
    problem = error;
  }
  await scope.end().catch((error) => (problem ??= error));
  return problem;
}

// deadline, in ms, is for what takes long on a busy machine.
export async function check(name, body, deadline = DEADLINE_MS) {
  const problem = await attempt(body, deadline);
  if (problem) process.exitCode = 1;
  const place = /\w+_test\.mjs:\d+/.exec(problem?.stack ?? "")?.[0] ?? "";
  const reason = String(problem?.message ?? problem).replace(/\s+/g, " ").slice(0, 600);
  console.log(problem ? `FAILED ${name}: ${place} ${reason}` : `ok ${name}`);
}

export function skip(name, reason) {
  console.log(`SKIPPED ${name}: ${reason}`);
}
