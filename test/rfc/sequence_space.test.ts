/**
 * RFC 9293 §3.4: sequence numbers are a circle. Whatever happens happens in the same way wherever on it the two ends begin; and what
 * is inside and outside of a window is decided right at both of its edges.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { rows } from '../../worker/flow/row.ts';
import { RCV_EDGE, RCV_NXT } from '../../worker/tcp/row.ts';
import { advance, after, before, distance, inWindow } from '../../worker/tcp/sequence.ts';
import { ACK, FIN, PSH, RST, type Segment, SYN } from '../support/guest_frame.ts';
import { Dialogue, type DialogueOptions, pattern } from '../support/tcp_dialogue.ts';
import { established, farText } from './states.ts';

/** int32, mostly near 0, 2³¹ and 2³². */
const sequenceNumber = fc.oneof(
  fc.integer({ min: -3000, max: 3000 }),
  fc.integer({ min: 0x7fffffff - 3000, max: 0x7fffffff }),
  fc.integer({ min: -0x80000000, max: -0x80000000 + 3000 }),
  fc.integer({ min: -0x80000000, max: 0x7fffffff }),
);
const distances = fc.oneof(fc.integer({ min: -3, max: 3 }), sequenceNumber);

/** What the numbers mean, without a machine word. */
const modulo = (n: number): number => ((n % 2 ** 32) + 2 ** 32) % 2 ** 32;

describe('RFC 9293 §3.4: arithmetic', () => {
  it('RFC 9293 §3.4: comparisons go by the shorter way around', () => {
    fc.assert(
      fc.property(sequenceNumber, distances, (a, d) => {
        const b = advance(a, d);
        const ahead = modulo(d);
        // Neither way is the shorter one.
        fc.pre(ahead !== 2 ** 31);
        expect([before(a, b), after(a, b)], `${a} and ${d} more`).to.deep.equal([ahead !== 0 && ahead < 2 ** 31, ahead > 2 ** 31]);
        expect([before(b, a), after(b, a)]).to.deep.equal([after(a, b), before(a, b)]);
        expect([distance(a, b), b | 0, modulo(b)]).to.deep.equal([d | 0, b, modulo(a + d)]);
      }),
    );
  });

  it('RFC 9293 §3.4: a window has as many numbers as its size, from its start on', () => {
    fc.assert(
      fc.property(sequenceNumber, fc.integer({ min: 0, max: 2 ** 30 }), distances, (start, size, d) => {
        expect(inWindow(advance(start, d), start, size)).to.equal(modulo(d) < size);
        expect(inWindow(advance(start, size), start, size)).to.equal(false);
        if (size > 0) expect([inWindow(start, start, size), inWindow(advance(start, size - 1), start, size)]).to.deep.equal([true, true]);
      }),
    );
  });
});

/** Something that happens; numbers are relative to where the two ends stand. */
type Step =
  | { readonly kind: 'data'; readonly ahead: number; readonly length: number; readonly fin: boolean }
  | { readonly kind: 'ack'; readonly ahead: number; readonly window: number }
  | { readonly kind: 'control'; readonly flags: number; readonly ahead: number }
  | { readonly kind: 'write' | 'read' | 'wait'; readonly amount: number }
  | { readonly kind: 'end' };

/** Mostly what an honest guest would say: then connections live long enough to come around. */
const near = fc.oneof(
  { weight: 8, arbitrary: fc.constant(0) },
  { weight: 2, arbitrary: fc.integer({ min: -3000, max: 3000 }) },
  { weight: 1, arbitrary: sequenceNumber },
);
const amount = fc.oneof(fc.nat(1400), fc.nat(60_000));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('data'), ahead: near, length: amount, fin: fc.constant(false) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('data'), ahead: near, length: amount, fin: fc.constant(true) }) },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('ack'), ahead: near, window: fc.nat(65_535) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('control'), flags: fc.constantFrom(RST, SYN, SYN | ACK, 0), ahead: near }) },
  { weight: 18, arbitrary: fc.record({ kind: fc.constantFrom('write', 'read', 'wait'), amount }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('end') }) },
);

interface Origin {
  readonly guestIss: number;
  readonly workerIss: number;
  readonly timestampStart: number;
}

/** Plays the steps, and tells what the guest sees, relative to the two initial numbers. */
function play(steps: readonly Step[], origin: Origin, options: DialogueOptions): unknown[] {
  const dialogue = new Dialogue({ ...options, ...origin });
  const synAck = dialogue.establish();
  const clock = synAck.timestamp?.value ?? 0;
  const seen: unknown[] = [];
  const note = (answers: readonly Segment[]): void => {
    for (const { seq, ack, flags, window, payload, timestamp, sack, gsoSize } of answers) {
      const echo = timestamp === undefined || (flags & ACK) === 0 ? 0 : (timestamp.echo - origin.timestampStart) | 0;
      const blocks = sack?.map(({ left, right }) => [(left - origin.guestIss) | 0, (right - origin.guestIss) | 0]);
      const value = timestamp === undefined ? undefined : (timestamp.value - clock) | 0;
      const from = (seq - origin.workerIss) | 0;
      // A RST without ACK has the guest's own number, or 0.
      seen.push([flags, from, (flags & ACK) === 0 ? 0 : (ack - origin.guestIss) | 0, window, payload.join(), value, echo, blocks, gsoSize]);
      const covered = (seq + payload.length + ((flags & FIN) !== 0 ? 1 : 0)) | 0;
      if (after(covered, dialogue.ack) && !after(seq, dialogue.ack)) dialogue.ack = covered;
      if ((flags & ACK) !== 0 && after(ack, dialogue.seq) && !after(ack, (dialogue.seq + 10_000) | 0)) dialogue.seq = ack;
    }
  };
  for (const action of steps) {
    if (dialogue.row() < 0) break;
    act(dialogue, action, note, (dialogue.seq - origin.guestIss) | 0);
    seen.push(dialogue.row() < 0);
  }
  return [...seen, farText(dialogue).join(), dialogue.stream.farSawEnd, dialogue.stream.farSawReset, dialogue.stream.taken];
}

function act(dialogue: Dialogue, action: Step, note: (answers: readonly Segment[]) => void, at: number): void {
  switch (action.kind) {
    case 'data': {
      const flags = ACK | PSH | (action.fin ? FIN : 0);
      const seq = (dialogue.seq + action.ahead) | 0;
      return note(
        dialogue.send(flags, { seq, payload: pattern(action.length, at + action.ahead), gsoSize: action.length > 1400 ? 1400 : 0 }),
      );
    }
    case 'ack':
      return note(dialogue.send(ACK, { ack: (dialogue.ack + action.ahead) | 0, window: action.window }));
    case 'control':
      return note(dialogue.send(action.flags, { seq: (dialogue.seq + action.ahead) | 0 }));
    case 'write':
      dialogue.stream.write(pattern(action.amount));
      return note(dialogue.seen());
    case 'read':
      dialogue.stream.read(action.amount);
      return note(dialogue.seen());
    case 'wait':
      dialogue.bench.advance(action.amount);
      return note(dialogue.seen());
    case 'end':
      dialogue.stream.end();
      return note(dialogue.seen());
  }
}

describe('RFC 9293 §3.4: wherever a connection begins', () => {
  const here: Origin = { guestIss: 1_000_000, workerIss: 500_000_000, timestampStart: 1_000_000 };
  /** A little before the numbers come around, or change their sign: a connection gets there within a few steps. */
  const start = fc
    .tuple(fc.constantFrom(0, 0x7fffffff), fc.oneof(fc.nat(3000), fc.nat(60_000), fc.nat(300_000)))
    .map(([edge, back]) => (edge - back) | 0);
  const origin = fc.record({ guestIss: start, workerIss: start, timestampStart: start });

  for (const [name, options] of Object.entries({
    'without options': { windowScale: -1 },
    'with a window scale': { windowScale: 7 },
    'with SACK and timestamps': { windowScale: 7, sackPermitted: true, timestamps: true },
    'without SO_PEEK_OFF': { windowScale: 7, sackPermitted: true, timestamps: true, peekOffset: false },
  })) {
    it(`RFC 9293 §3.4: the same steps have the same answers, ${name}`, function () {
      this.timeout(60_000);
      fc.assert(
        fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), origin, (steps, there) => {
          expect(play(steps, there, options)).to.deep.equal(play(steps, here, options));
        }),
        { numRuns: 150 },
      );
    });
  }
});

describe('RFC 9293 §3.10.7.4: at both edges of both windows', () => {
  const promised = (dialogue: Dialogue): number =>
    ((rows[dialogue.row() + RCV_EDGE] as number) - (rows[dialogue.row() + RCV_NXT] as number)) | 0;
  /** Distances from RCV.NXT that are near it, near the right edge, half around, or anywhere. */
  const ahead = (dialogue: Dialogue): fc.Arbitrary<number> =>
    fc.oneof(
      fc.integer({ min: -2000, max: 2000 }),
      fc.integer({ min: promised(dialogue) - 5, max: promised(dialogue) + 5 }),
      fc.integer({ min: 0x7fffffff - 5, max: 0x7fffffff }),
      fc.integer({ min: -0x80000000, max: -0x80000000 + 5 }),
      sequenceNumber,
    );

  it('RFC 9293 §3.10.7.4: of one segment exactly that is taken which begins at RCV.NXT and ends at the edge', () => {
    const sample = ahead(established());
    fc.assert(
      fc.property(sequenceNumber, sample, fc.nat(1400), (guestIss, where, length) => {
        const dialogue = established({ guestIss });
        const expected = where <= 0 ? Math.max(length + where, 0) : 0;
        dialogue.send(ACK, { seq: (dialogue.seq + where) | 0, payload: pattern(length, 4000 + where) });
        expect(farText(dialogue)).to.deep.equal(pattern(expected, 4000));
        expect(rows[dialogue.row() + RCV_NXT]).to.equal((dialogue.seq + expected) | 0);
      }),
    );
  });

  it('RFC 9293 §3.10.7.4, RFC 5961 §3.2/1, §3.2/2, §3.2/3: a RST resets, is challenged, or is dropped', () => {
    const sample = ahead(established());
    fc.assert(
      fc.property(sequenceNumber, sample, (guestIss, where) => {
        const dialogue = established({ guestIss });
        const inside = where > 0 && where < promised(dialogue);
        const answers = dialogue.send(RST, { seq: (dialogue.seq + where) | 0 });
        expect([dialogue.row() < 0, answers.length]).to.deep.equal([where === 0, inside ? 1 : 0]);
      }),
    );
  });

  it('RFC 9293 §3.10.7.4: of an ACK exactly that counts which was sent and not acknowledged', () => {
    fc.assert(
      fc.property(sequenceNumber, distances, fc.integer({ min: 1, max: 3000 }), (workerIss, where, length) => {
        const dialogue = established({ workerIss });
        dialogue.stream.write(pattern(length));
        dialogue.seen();
        const answers = dialogue.send(ACK, { ack: (dialogue.ack + where) | 0 });
        expect(dialogue.stream.taken).to.equal(where > 0 && where <= length ? where : 0);
        if (where > length) expect(answers.map(({ flags }) => flags)).to.deep.equal([ACK]);
      }),
    );
  });
});
