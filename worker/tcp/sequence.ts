/** Sequence numbers: RFC 9293 §3.4. Arguments and results are int32; comparisons hold while the distance is < 2³¹. */

export function before(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

export function after(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

export function advance(a: number, n: number): number {
  return (a + n) | 0;
}

/** b − a, negative when b is before a. */
export function distance(a: number, b: number): number {
  return (b - a) | 0;
}

/** True when x is one of the `size` numbers from `start`; 0 ≤ size < 2³¹. */
export function inWindow(x: number, start: number, size: number): boolean {
  return (x - start) >>> 0 < size;
}
