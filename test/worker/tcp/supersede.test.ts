/** ACKs of one batch: the newest speaks for those before it, and nothing is lost that only they would say. */
import { expect } from 'chai';
import { DUPLICATES, SND_UNA, SND_WND } from '../../../worker/tcp/row.ts';
import { rows } from '../../../worker/flow/row.ts';
import { ACK, FIN, PSH, type Segment, withChecksum } from '../../support/guest_frame.ts';
import { Dialogue, type DialogueOptions, pattern } from '../../support/tcp_dialogue.ts';
import { ENDS4, ENDS6 } from '../../support/workbench.ts';

const MSS = 1460;
const COUNT = 20;

/** A connection with twenty segments in flight to the guest, and how often bytes were taken from its socket. */
class Flight {
  readonly dialogue: Dialogue;
  readonly discards: number[] = [];
  readonly first: number;

  constructor(options: DialogueOptions = {}) {
    this.dialogue = new Dialogue({ timestamps: true, sackPermitted: true, ...options });
    this.dialogue.establish();
    this.dialogue.stream.write(pattern(COUNT * MSS));
    this.dialogue.seen();
    this.first = this.dialogue.ack;
    const { stream } = this.dialogue;
    const discard = stream.discard.bind(stream);
    stream.discard = (length) => {
      this.discards.push(length);
      return discard(length);
    };
  }

  ack(segments: number, given: Partial<Segment> = {}, flags = ACK): Uint8Array {
    return this.dialogue.frame(flags, { ack: (this.first + segments * MSS) | 0, ...given });
  }

  deliver(...frames: Uint8Array[]): void {
    this.dialogue.bench.deliver(...frames);
    this.dialogue.bench.settle();
  }

  field(name: number): number {
    return rows[this.dialogue.row() + name] as number;
  }

  /** Segments that are acknowledged. */
  get through(): number {
    return ((this.field(SND_UNA) - this.first) | 0) / MSS;
  }
}

describe('worker/tcp: ACKs of one batch', () => {
  for (const [name, ends] of [
    ['IPv4', ENDS4],
    ['IPv6', ENDS6],
  ] as const)
    for (const timestamps of [true, false])
      it(`free the socket's bytes once, and the last one's window counts: ${name}, ${timestamps ? 'with' : 'without'} timestamps`, () => {
        const flight = new Flight({ ends, timestamps, windowScale: 0 });
        flight.deliver(flight.ack(2), flight.ack(4), withChecksum(flight.ack(6), ends), flight.ack(9, { window: 30_000 }));
        expect(flight.discards).to.deep.equal([9 * MSS]);
        expect([flight.through, flight.field(SND_WND)]).to.deep.equal([9, 30_000]);
      });

  it('are padded on the way, and yet the same', () => {
    const flight = new Flight({ timestamps: false });
    const padded = (frame: Uint8Array): Uint8Array => new Uint8Array([...frame, 0, 0, 0, 0, 0, 0]);
    flight.deliver(...[2, 4, 6].map((count) => padded(withChecksum(flight.ack(count), ENDS4))));
    expect([flight.discards, flight.through]).to.deep.equal([[6 * MSS], 6]);
  });

  it('with a wrong checksum take nobody else along', () => {
    const flight = new Flight();
    const spoiled = withChecksum(flight.ack(8), ENDS4);
    spoiled[spoiled.length - 1]! ^= 1;
    flight.deliver(flight.ack(2), spoiled);
    expect(flight.through).to.equal(2);
  });

  it('that are duplicates are each counted (RFC 5681 §3.2)', () => {
    const flight = new Flight({ sackPermitted: false });
    flight.deliver(flight.ack(2), flight.ack(2), flight.ack(2));
    expect([flight.through, flight.field(DUPLICATES)]).to.deep.equal([2, 2]);
  });

  const blocks = (flight: Flight): Partial<Segment> => ({
    sack: [{ left: (flight.first + 5 * MSS) | 0, right: (flight.first + 7 * MSS) | 0 }],
  });
  it('are taken one by one where they have nothing but SACK blocks for options', () => {
    const flight = new Flight({ timestamps: false });
    flight.deliver(flight.ack(1, blocks(flight)), flight.ack(2, blocks(flight)));
    expect([flight.discards, flight.through]).to.deep.equal([[MSS, MSS], 2]);
  });

  it('that lack the timestamps of the connection take no place (RFC 7323 §3.2)', () => {
    const flight = new Flight();
    flight.deliver(flight.ack(1), flight.ack(2, { timestamp: undefined, ...blocks(flight) }));
    expect(flight.through).to.equal(1);
  });

  const OTHERS: Record<string, (flight: Flight) => [Uint8Array, Uint8Array]> = {
    'the second has SACK blocks': (flight) => [flight.ack(1), flight.ack(2, blocks(flight))],
    'the first has SACK blocks': (flight) => [flight.ack(1, blocks(flight)), flight.ack(2)],
    'both have SACK blocks': (flight) => [flight.ack(1, blocks(flight)), flight.ack(2, blocks(flight))],
    'the second has data': (flight) => [flight.ack(1), flight.ack(2, { payload: pattern(3) })],
    'the second has a FIN': (flight) => [flight.ack(1), flight.ack(2, {}, ACK | FIN)],
    'the second is pushed': (flight) => [flight.ack(1), flight.ack(2, {}, ACK | PSH)],
  };
  for (const [name, pair] of Object.entries(OTHERS)) {
    it(`are taken one by one where ${name}`, () => {
      const flight = new Flight();
      flight.deliver(...pair(flight));
      expect([flight.discards, flight.through]).to.deep.equal([[MSS, MSS], 2]);
    });
  }
});
