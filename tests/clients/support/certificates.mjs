// The files that certificates.sh makes, in a directory of their own, and which of them the server
// reads: server.pem and server.key.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const MAKE = fileURLToPath(new URL("certificates.sh", import.meta.url));

export class Certificates {
  #directory = mkdtempSync(join(tmpdir(), "weir-"));

  constructor() {
    execFileSync(MAKE, [this.#directory]);
    this.install("server1");
    this.ca = this.read("ca.pem");
  }

  path(name) {
    return join(this.#directory, name);
  }

  read(name) {
    return readFileSync(this.path(name));
  }

  // Puts a server's certificate where the server reads it.
  install(name) {
    for (const kind of ["pem", "key"]) {
      copyFileSync(this.path(`${name}.${kind}`), this.path("next"));
      renameSync(this.path("next"), this.path(`server.${kind}`));
    }
  }

  // The same of a certificate and of another one's key.
  mix(certificate, key) {
    this.install(certificate);
    copyFileSync(this.path(`${key}.key`), this.path("server.key"));
  }

  options() {
    return ["--tls-cert", this.path("server.pem"), "--tls-key", this.path("server.key")];
  }

  remove() {
    rmSync(this.#directory, { recursive: true });
  }
}
