// Debian's Chromium without a window, driven by playwright-core, and what stands on the page.

import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";

const ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const STEP_MS = 10_000;

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

// The browser's path, or undefined.
export function findChromium() {
  return (process.env.PATH ?? "").split(delimiter)
    .map((directory) => join(directory, "chromium")).find(isExecutable);
}

// A browser with a profile of its own, which ends with it; more are options of its context.
export async function launch(more = {}) {
  const browser = await chromium.launch({ executablePath: findChromium(), args: ARGS });
  const context = await browser.newContext({ acceptDownloads: true, ...more });
  context.setDefaultTimeout(STEP_MS);
  return { context, close: () => browser.close() };
}

// A tab with the page, and everything that its console complained of.
export class Tab {
  problems = [];

  static async open(context, url) {
    const tab = new Tab();
    tab.page = await context.newPage();
    tab.page.on("pageerror", (error) => tab.problems.push(String(error)));
    tab.page.on("console", (message) => {
      if (message.type() === "error") tab.problems.push(message.text());
    });
    await tab.page.goto(url);
    return tab;
  }

  async connect(path) {
    await this.page.locator("#path").selectOption(path);
    await this.page.locator("#connect").click();
    await this.status(`Connected to ${path}`);
  }

  async send(text) {
    await this.page.locator("#text").fill(text);
    await this.page.locator("#send").click();
  }

  // By a file on disk: bytes that go through the driver as text take seconds.
  async sendFile(name, buffer) {
    const directory = mkdtempSync(join(tmpdir(), "weir-file-"));
    this.page.once("close", () => rmSync(directory, { recursive: true }));
    writeFileSync(join(directory, name), buffer);
    await this.page.locator("#file").setInputFiles(join(directory, name));
    await this.page.locator("#send-file").click();
  }

  // Waits for a status with this text.
  async status(text) {
    await this.page.locator("#status", { hasText: text }).waitFor();
  }

  // Waits for the n-th entry of the log that was received, and returns its text.
  async received(n) {
    const entry = this.page.locator("#log li.received .body").nth(n);
    await entry.waitFor();
    return entry.textContent();
  }

  // The bytes behind the download link of the n-th binary message.
  async download(n) {
    const link = this.page.locator("#log li.received a").nth(n);
    await link.waitFor();
    const bytes = await link.evaluate(async (a) => {
      const buffer = await (await fetch(a.href)).arrayBuffer();
      return [...new Uint8Array(buffer)];
    });
    return Buffer.from(bytes);
  }

  // Keeps a picture, for a person to see what went wrong; returns its path.
  async photograph() {
    const path = join(mkdtempSync(join(tmpdir(), "weir-page-")), "page.png");
    await this.page.screenshot({ path, fullPage: true });
    return path;
  }
}
