/** Bytes in order: pushed at the back, looked at and dropped at the front. */
export class ByteQueue {
  #memory = new Uint8Array(1024);
  #first = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#first;
  }

  push(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#memory.length) {
      const length = this.length;
      const memory = length + bytes.length > this.#memory.length / 2 ? new Uint8Array(4 * (length + bytes.length)) : this.#memory;
      memory.set(this.#memory.subarray(this.#first, this.#end));
      this.#memory = memory;
      this.#first = 0;
      this.#end = length;
    }
    this.#memory.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Up to `length` bytes behind the first `skip` ones; a view, valid until the next push. */
  peek(skip: number, length: number): Uint8Array {
    const from = Math.min(this.#first + skip, this.#end);
    return this.#memory.subarray(from, Math.min(from + length, this.#end));
  }

  drop(length: number): void {
    if (length > this.length) throw new Error(`a queue of ${this.length} bytes can't drop ${length}`);
    this.#first += length;
  }

  /** Takes up to `length` bytes; a copy. */
  take(length: number): Uint8Array {
    const bytes = this.peek(0, length).slice();
    this.#first += bytes.length;
    return bytes;
  }
}
