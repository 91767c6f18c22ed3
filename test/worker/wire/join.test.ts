/** Segments that go on with each other, where they lie: in slots of a tap, or in one piece as a stream brings them. */
import { expect } from 'chai';
import { frame, parse, Verdict, verifyL4Checksum } from '../../../worker/wire/frame.ts';
import { canGrow, join } from '../../../worker/wire/join.ts';
import { ACK, buildSegment, PSH } from '../../support/guest_frame.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { ENDS4, ENDS6 } from '../../support/workbench.ts';
import { freshArena, putBytes, takeBytes } from './arena.ts';

const AT = 100;
const SIZES = [1448, 1448, 700, 1];
const BYTES = pattern(SIZES.reduce((sum, size) => sum + size, 0)).map((byte) => ~byte);

describe('wire/join', () => {
  beforeEach(freshArena);

  for (const [name, ends] of [
    ['IPv4', ENDS4],
    ['IPv6', ENDS6],
  ] as const)
    for (const [place, distance] of [
      ['that follow each other in a stream', 4],
      ['in slots of their own', 70_000],
    ] as const)
      it(`makes one of the segments ${place}, ${name}`, () => {
        const frames: { at: number; length: number }[] = [];
        let [at, sent] = [AT, 0];
        for (const [index, size] of SIZES.entries()) {
          const segment = {
            ...{ sourcePort: 1, destinationPort: 2, seq: (0x7fffff00 + sent) | 0, ack: 7, window: 9, gsoSize: 0 },
            flags: index === 2 ? ACK | PSH : ACK,
            timestamp: { value: 1, echo: 2 },
            payload: BYTES.subarray(sent, sent + size),
          };
          const length = putBytes(at, buildSegment(ends, segment));
          frames.push({ at, length });
          at += length + distance;
          if (distance > 4) at = AT + distance * (index + 1);
          sent += size;
        }
        const [first, ...others] = frames;
        expect(parse(first?.at as number, first?.length as number, true)).to.equal(Verdict.OK);
        expect([verifyL4Checksum(), canGrow()]).to.deep.equal([true, true]);
        for (const other of others) expect(join(other.at, other.length, true)).to.equal(true);
        expect(takeBytes(frame.payload, frame.end - frame.payload)).to.deep.equal(BYTES);
        expect(takeBytes(frame.l4 + 13, 1)[0]).to.equal(ACK | PSH);
      });
});
