/**
 * The reference that the worker is measured by, measured by itself: two of it on a bad wire understand each other, and the watch that
 * looks for lies finds none.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { ReferenceGuest } from '../../support/reference_guest.ts';
import type { Segment } from '../../support/guest_frame.ts';
import { sequence } from '../../support/tcp_arbitrary.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import type { GuestOptions } from '../../support/tcp_schedule.ts';
import { TcpWatch } from '../../support/tcp_watch.ts';

const end: fc.Arbitrary<GuestOptions> = fc.record({
  iss: sequence,
  sourcePort: fc.constant(1),
  destinationPort: fc.constant(2),
  mss: fc.constantFrom(200, 1460, 9000),
  windowScale: fc.constantFrom(-1, 0, 3),
  buffer: fc.constantFrom(2000, 65_535, 200_000),
  superframe: fc.constantFrom(0, 8000, 65_000),
  probesWithData: fc.boolean(),
  keepsOutOfOrder: fc.boolean(),
  sack: fc.boolean(),
  tellsDuplicates: fc.boolean(),
  timestamps: fc.boolean(),
  timestampStart: sequence,
  answer: fc.constant('accept' as const),
});

/** Two ends, and what is on its way to each. */
class Pair {
  readonly ends: ReferenceGuest[] = [];
  readonly #wires: Segment[][] = [[], []];
  readonly #watches = [new TcpWatch(), new TcpWatch()];
  #now = 0;
  #state: number;

  constructor(options: readonly GuestOptions[], seed: number) {
    this.#state = seed | 1;
    options.forEach((given, i) => {
      const send = (segment: Segment): void => this.#send(i, segment);
      this.ends.push(new ReferenceGuest(given, send, () => this.#now));
    });
  }

  #send(from: number, segment: Segment): void {
    (this.#watches[from] as TcpWatch).said(segment);
    (this.#wires[1 - from] as Segment[]).push(segment);
  }

  #chance(of: number): boolean {
    this.#state = Math.imul(this.#state, 1_664_525) + 1_013_904_223;
    return (this.#state >>> 16) % of === 0;
  }

  /** Everything on the wire arrives; on a `bad` one with losses, duplicates and in another order. False when there was nothing. */
  exchange(bad: boolean): boolean {
    let busy = false;
    for (const to of [0, 1]) {
      const wire = this.#wires[to] as Segment[];
      for (let left = wire.length; left > 0; left--) {
        const segment = wire.shift() as Segment;
        busy = true;
        if (bad && this.#chance(6)) continue;
        if (bad && this.#chance(6)) wire.push(segment);
        if (bad && this.#chance(9)) (this.ends[to] as ReferenceGuest).receiver.renege();
        (this.#watches[to] as TcpWatch).heard(segment);
        (this.ends[to] as ReferenceGuest).receive(segment);
      }
    }
    return busy;
  }

  advance(milliseconds: number): void {
    this.#now += milliseconds;
    for (const one of this.ends) one.timer();
  }

  /** Reads, closes, and lets time pass until nothing is due. */
  heal(): void {
    for (const start = this.#now; ; ) {
      for (const one of this.ends) {
        one.read(1 << 20);
        one.close();
      }
      if (this.exchange(false)) continue;
      const due = this.ends.map((one) => one.deadline).filter((at) => at !== null);
      if (due.length === 0) return;
      if (this.#now - start > 300_000) throw new Error('no end in five minutes');
      this.advance(Math.max(Math.min(...due) - this.#now, 0));
    }
  }
}

describe('test/support: the reference guest', () => {
  it('two of it finish whatever the wire does, by SYN and SYN|ACK or by two SYNs that cross', () => {
    const property = fc.property(end, end, fc.boolean(), fc.nat(40_000), fc.nat(40_000), fc.nat(), (a, b, crossing, toB, toA, seed) => {
      const pair = new Pair([a, b], seed);
      const [first, second] = pair.ends as [ReferenceGuest, ReferenceGuest];
      if (crossing) second.connect();
      else second.listen();
      first.connect();
      first.write(pattern(toB));
      second.write(pattern(toA, 5));
      for (let rounds = 0; rounds < 30; rounds++) {
        pair.exchange(true);
        pair.advance(rounds % 3 === 0 ? 300 : 10);
        first.read(700);
        second.read(900);
      }
      pair.heal();
      expect([first.state, second.state]).to.deep.equal(['done', 'done']);
      expect(Buffer.compare(second.receiver.received.peek(0, 1 << 20), pattern(toB))).to.equal(0);
      expect(Buffer.compare(first.receiver.received.peek(0, 1 << 20), pattern(toA, 5))).to.equal(0);
    });
    fc.assert(property, { numRuns: 300, seed: Number(process.env['RAVIOLI_SEED'] ?? Date.now() % 0x7fffffff) });
  });
});
