/**
 * A set of ports, one bit each: 8 KiB, no matter how many are in it.
 */

const WORDS = 2048;

/** Ports 0…65535. A number outside of that is taken modulo 65536. */
export class PortSet {
  readonly #words = new Int32Array(WORDS);

  static of(ports: Iterable<number>): PortSet {
    const set = new PortSet();
    for (const port of ports) set.add(port);
    return set;
  }

  add(port: number): void {
    const at = (port >>> 5) & (WORDS - 1);
    this.#words[at] = (this.#words[at] as number) | (1 << port);
  }

  delete(port: number): void {
    const at = (port >>> 5) & (WORDS - 1);
    this.#words[at] = (this.#words[at] as number) & ~(1 << port);
  }

  has(port: number): boolean {
    return ((this.#words[(port >>> 5) & (WORDS - 1)] as number) & (1 << port)) !== 0;
  }

  clear(): void {
    this.#words.fill(0);
  }

  /** Adds all that `other` has. */
  include(other: PortSet): void {
    for (let at = 0; at < WORDS; at++) this.#words[at] = (this.#words[at] as number) | (other.#words[at] as number);
  }

  /** Takes away all that `other` has. */
  exclude(other: PortSet): void {
    for (let at = 0; at < WORDS; at++) this.#words[at] = (this.#words[at] as number) & ~(other.#words[at] as number);
  }

  equals(other: PortSet): boolean {
    return this.#words.every((word, at) => word === other.#words[at]);
  }

  get isEmpty(): boolean {
    return this.#words.every((word) => word === 0);
  }

  /** In ascending order. What is added or deleted meanwhile may or may not be seen. */
  *[Symbol.iterator](): Generator<number, void, undefined> {
    for (let at = 0; at < WORDS; at++) {
      for (let word = this.#words[at] as number; word !== 0; word &= word - 1) yield (at << 5) | (31 - Math.clz32(word & -word));
    }
  }
}
