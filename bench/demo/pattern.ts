/**
 * The bytes that both ends agree on: a fixed sequence of a prime period, so that a piece that is lost, doubled or moved never fits.
 */

const PERIOD = 1_048_573;
const doubled = Buffer.alloc(PERIOD * 2);
for (let i = 0, state = 0x2a; i < PERIOD; i++) {
  state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
  doubled[i] = state >> 16;
  doubled[i + PERIOD] = state >> 16;
}

/** The piece of the sequence at `offset`, at most `length` and at most PERIOD bytes long; not a copy. */
export function piece(offset: number, length: number): Buffer {
  const from = offset % PERIOD;
  return doubled.subarray(from, from + Math.min(length, PERIOD));
}

/** True when `data` is what the sequence has at `offset`. */
export function fits(data: Uint8Array, offset: number): boolean {
  for (let done = 0; done < data.length; ) {
    const expected = piece(offset + done, data.length - done);
    if (expected.compare(data, done, done + expected.length) !== 0) return false;
    done += expected.length;
  }
  return true;
}
