// A folder for one check's files, which goes with it.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export function folder(t) {
  const path = mkdtempSync(join(tmpdir(), "weir-"));
  t.atEnd(() => rmSync(path, { recursive: true }));
  return path;
}
