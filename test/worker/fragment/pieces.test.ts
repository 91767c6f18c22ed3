/** Whatever fragments come, in whatever order: what is said of each agrees with a map of single bytes. */
import { expect } from 'chai';
import fc from 'fast-check';
import { addPiece, clearPieces, lengthOf, Piece } from '../../../worker/fragment/pieces.ts';
import { bytes } from '../../../worker/wire/memory.ts';
import { freshArena, putBytes, takeBytes } from '../wire/arena.ts';

const PACKET = 3;
const DATA = 70_000;
const AT = 1001;

interface Fragment {
  offset: number;
  bytes: Uint8Array;
  more: boolean;
}

/** The rules, byte by byte and without any thought of speed. */
class Reference {
  readonly #bytes = new Map<number, number>();
  #total = -1;

  add({ offset, bytes, more }: Fragment): Piece {
    const end = offset + bytes.length;
    const reach = Math.max(0, ...[...this.#bytes.keys()].map((at) => at + 1));
    if (this.#total >= 0 ? end > this.#total || (!more && end !== this.#total) : !more && end < reach) return Piece.CONFLICT;
    const known = [...bytes.keys()].filter((at) => this.#bytes.has(offset + at));
    if (known.length > 0) {
      const same = known.length === bytes.length && known.every((at) => this.#bytes.get(offset + at) === bytes[at]);
      return same && (more || this.#total === end) ? Piece.COPY : Piece.CONFLICT;
    }
    for (const [at, byte] of bytes.entries()) this.#bytes.set(offset + at, byte);
    if (!more) this.#total = end;
    return this.#bytes.size === this.#total ? Piece.LAST : Piece.KEPT;
  }

  whole(): Uint8Array {
    return Uint8Array.from({ length: this.#total }, (_, at) => this.#bytes.get(at) as number);
  }
}

/** Fragments of a few packets that are nearly the same, cut anyhow. */
function arbitrary(units: number): fc.Arbitrary<Fragment> {
  return fc
    .record({
      first: fc.nat({ max: units }),
      length: fc.integer({ min: 1, max: units }),
      short: fc.nat({ max: 7 }),
      more: fc.boolean(),
      spoiled: fc.constantFrom(0, 0, 0, 0, 0, 1),
    })
    .map(({ first, length, short, more, spoiled }) => {
      const size = length * 8 - (more ? 0 : short);
      const data = Uint8Array.from({ length: size }, (_, at) => (first * 8 + at) * 31 + spoiled);
      return { offset: first * 8, bytes: data, more };
    });
}

describe('worker/fragment: which bytes are there', () => {
  for (const [units, most] of [
    [3, 8],
    [12, 20],
    [80, 12],
  ] as const) {
    it(`random fragments within ${units * 16} bytes, as the reference has it`, () => {
      fc.assert(
        fc.property(fc.array(arbitrary(units), { maxLength: most }), (fragments) => {
          freshArena();
          clearPieces(PACKET);
          const reference = new Reference();
          for (const fragment of fragments) {
            putBytes(AT, fragment.bytes);
            const result = addPiece(PACKET, DATA, fragment.offset, fragment.bytes.length, AT, fragment.more);
            expect(result).to.equal(reference.add(fragment));
            if (result === Piece.CONFLICT) return;
            if (result !== Piece.LAST) continue;
            const whole = reference.whole();
            expect(lengthOf(PACKET)).to.equal(whole.length);
            expect(takeBytes(DATA, whole.length)).to.deep.equal(whole);
            return;
          }
        }),
        { numRuns: 2000 },
      );
    });
  }

  it('writes nothing beyond the fragment', () => {
    freshArena();
    clearPieces(PACKET);
    putBytes(AT, new Uint8Array(8));
    addPiece(PACKET, DATA, 65_520, 8, AT, true);
    expect([bytes[DATA + 65_519], bytes[DATA + 65_528]]).to.deep.equal([0xa5, 0xa5]);
  });
});
