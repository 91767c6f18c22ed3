/** A set of sequence numbers (int32, serial), kept as ranges that do not touch. */
interface Range {
  left: number;
  right: number;
}

function later(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

export class SequenceSet {
  #ranges: Range[] = [];

  /** Adds the numbers from `left` up to `right`, which is not one of them. */
  add(left: number, right: number): void {
    if (!later(right, left)) return;
    const joined = { left, right };
    const apart: Range[] = [];
    for (const range of this.#ranges) {
      if (later(range.left, joined.right) || later(joined.left, range.right)) apart.push(range);
      else {
        if (later(joined.left, range.left)) joined.left = range.left;
        if (later(range.right, joined.right)) joined.right = range.right;
      }
    }
    this.#ranges = [...apart, joined].sort((a, b) => (a.left - b.left) | 0);
  }

  /** Whether every number from `left` up to `right` is there. */
  covers(left: number, right: number): boolean {
    return this.#ranges.some((range) => !later(range.left, left) && !later(right, range.right));
  }

  /** The first number from `left` on that isn't there. */
  endFrom(left: number): number {
    const range = this.#ranges.find((one) => !later(one.left, left) && later(one.right, left));
    return range === undefined ? left : range.right;
  }

  /** Forgets what lies below `left`. */
  dropBelow(left: number): void {
    this.#ranges = this.#ranges.filter(({ right }) => later(right, left));
    for (const range of this.#ranges) if (later(left, range.left)) range.left = left;
  }

  clear(): void {
    this.#ranges = [];
  }

  get ranges(): readonly Readonly<Range>[] {
    return this.#ranges;
  }
}
