// What came and was not looked at yet, in order: lines, messages, pings.

export class Inbox {
  #values = [];
  #readers = [];
  #end = null;

  push(value) {
    const reader = this.#readers.shift();
    if (reader) reader.resolve(value);
    else this.#values.push(value);
  }

  // Nothing comes any more; who waits is told why.
  end(why) {
    this.#end = why;
    for (const reader of this.#readers.splice(0)) reader.reject(new Error(why));
  }

  next() {
    if (this.#values.length > 0) return Promise.resolve(this.#values.shift());
    if (this.#end) return Promise.reject(new Error(this.#end));
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  async take(count) {
    const values = [];
    while (values.length < count) values.push(await this.next());
    return values;
  }

  // Everything that is left, once it has ended.
  rest() {
    return this.#values.splice(0);
  }
}
