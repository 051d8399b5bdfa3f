// A client of npm's ws that keeps what comes in order.

import assert from "node:assert/strict";
import WebSocket from "ws";
import { Inbox } from "./inbox.mjs";

export class Client {
  messages = new Inbox(); // { data: Buffer, binary }
  pings = new Inbox();
  pongs = new Inbox();

  constructor(url, options) {
    this.ws = new WebSocket(url, options);
    this.ws.on("message", (data, binary) => this.messages.push({ data, binary }));
    this.ws.on("ping", (data) => this.pings.push(String(data)));
    this.ws.on("pong", (data) => this.pongs.push(String(data)));
    this.opened = new Promise((resolve, reject) => {
      this.ws.on("open", resolve);
      this.ws.on("error", reject);
    });
    this.opened.catch(() => {});
    this.closed = new Promise((resolve) => {
      this.ws.on("close", (code, reason) => {
        const why = `closed with code ${code} ${reason}`;
        for (const inbox of [this.messages, this.pings, this.pongs]) inbox.end(why);
        resolve({ code, reason: String(reason) });
      });
    });
  }

  send(...args) {
    this.ws.send(...args);
  }

  async text() {
    const { data, binary } = await this.messages.next();
    assert.equal(binary, false, "text was awaited, binary came");
    return String(data);
  }

  async binary() {
    const { data, binary } = await this.messages.next();
    assert.equal(binary, true, `binary was awaited, text came: ${String(data).slice(0, 99)}`);
    return data;
  }

  async texts(count) {
    const texts = [];
    while (texts.length < count) texts.push(await this.text());
    return texts;
  }

  close(...args) {
    this.ws.close(...args);
    return this.closed;
  }
}
