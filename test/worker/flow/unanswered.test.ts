/** Who makes room when there is none: the longest silent flow that nobody has answered, and nobody else. */
import { expect } from 'chai';
import fc from 'fast-check';
import { MessageId } from '../../../shared/messages.ts';
import { Verb } from '../../../shared/opener.ts';
import { FakeDatagram } from '../../support/fake_datagram.ts';
import { FakeStream } from '../../support/fake_stream.ts';
import { buildDatagram, buildEcho, buildSegment, echoMessage, type Segment, SYN } from '../../support/guest_frame.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { type BenchOptions, ENDS4, Workbench } from '../../support/workbench.ts';

const FAR = 53;

function syn(port: number): Segment {
  return { sourcePort: port, destinationPort: 80, flags: SYN, seq: 1, ack: 0, window: 65_535, payload: new Uint8Array(0), gsoSize: 0 };
}

/** The guest's datagrams, and the sockets of its flows by port. */
class Guest {
  readonly bench: Workbench;
  readonly sockets = new Map<number, FakeDatagram>();

  constructor(options: BenchOptions) {
    this.bench = new Workbench(options);
  }

  send(port: number): void {
    this.bench.deliver(buildDatagram(ENDS4, port, FAR, pattern(4, port)));
  }

  open(port: number): FakeDatagram {
    this.send(port);
    return this.give(port);
  }

  /** The opener answers what it was asked first. */
  give(port: number): FakeDatagram {
    const socket = new FakeDatagram();
    this.sockets.set(port, socket);
    this.bench.kernel.opener.answer(port, socket);
    this.bench.settle();
    return socket;
  }

  answer(port: number): void {
    this.sockets.get(port)?.answer(pattern(1));
    this.bench.settle();
  }

  ports(): number[] {
    return [...this.sockets].filter(([, { closed }]) => !closed).map(([port]) => port);
  }
}

for (const limit of [{ flows: 3 }, { flows: 9, descriptors: 3 }]) {
  describe(`worker/flow: room, with ${JSON.stringify(limit)}`, () => {
    it('the one that was silent longest goes; a datagram of its own makes it younger', () => {
      const guest = new Guest(limit);
      for (const port of [1, 2, 3]) guest.open(port);
      guest.send(1);
      guest.open(4);
      expect(guest.ports()).to.deep.equal([1, 3, 4]);
      guest.open(5);
      expect(guest.ports()).to.deep.equal([1, 4, 5]);
      expect(guest.bench.counter('flows_displaced')).to.equal(2);
      expect(guest.bench.counter('udp_flows_refused')).to.equal(0);
      guest.bench.advance(31_000);
      guest.bench.expectNothingLeft();
    });

    it('one that was answered stays for good, also when it is the oldest', () => {
      const guest = new Guest(limit);
      for (const port of [1, 2, 3]) guest.open(port);
      guest.answer(1);
      guest.answer(2);
      for (const port of [4, 5, 6]) guest.open(port);
      expect(guest.ports()).to.deep.equal([1, 2, 6]);
      guest.answer(6);
      guest.send(7);
      expect(guest.bench.counter('udp_flows_refused')).to.equal(1);
      expect(guest.bench.kernel.channel.logged(MessageId.FLOW_LIMIT)).to.have.length(1);
      expect(guest.ports()).to.deep.equal([1, 2, 6]);
    });

    it('one whose socket is still being made stays: its datagram has not been sent', () => {
      const guest = new Guest(limit);
      for (const port of [1, 2, 3]) guest.send(port);
      guest.send(4);
      expect(guest.bench.counter('udp_flows_refused')).to.equal(1);
      for (const port of [1, 2, 3]) expect(guest.give(port).sent).to.deep.equal([pattern(4, port)]);
    });

    it('those that ended by themselves are not asked for room any more', () => {
      const guest = new Guest(limit);
      guest.open(1);
      for (const identifier of [1, 2]) {
        guest.bench.deliver(buildEcho(ENDS4, identifier, 1, pattern(8)));
        guest.give(100 + identifier);
      }
      guest.bench.advance(61_000);
      expect(guest.bench.flows()).to.equal(0);
      for (const port of [3, 4, 5, 6, 7]) guest.open(port);
      expect(guest.ports()).to.deep.equal([5, 6, 7]);
      expect(guest.bench.flows()).to.equal(3);
      guest.bench.advance(31_000);
      guest.bench.expectNothingLeft();
    });

    it('a question to a group needs room for its replies as well', () => {
      const guest = new Guest(limit);
      for (const port of [1, 2, 3]) guest.open(port);
      guest.bench.deliver(buildDatagram({ ...ENDS4, far: Uint8Array.of(239, 255, 255, 250) }, 9, 1900, pattern(1)));
      expect(guest.ports()).to.deep.equal([3]);
      expect(guest.bench.kernel.opener.requests.map(({ verb }) => verb)).to.deep.equal([Verb.UDP_REPLIES]);
    });

    it('what hears replies to a group makes room as well, the longest silent first, and is begun anew when it is needed again', () => {
      const guest = new Guest(limit);
      const group = { ...ENDS4, far: Uint8Array.of(239, 255, 255, 250) };
      const ask = (port: number): void => guest.bench.deliver(buildDatagram(group, port, 1900, pattern(1)));
      for (const port of [21, 22, 23, 24, 25]) {
        ask(port);
        guest.give(100 + port);
        if (guest.bench.kernel.opener.requests.length > 0) guest.give(200 + port);
      }
      expect(guest.bench.counter('udp_flows_refused'), 'questions that found no room').to.equal(0);
      expect(guest.bench.counter('flows_displaced')).to.equal(7);
      expect(guest.ports().slice(-2), 'the last question has both its sockets').to.deep.equal([125, 225]);
      guest.open(1);
      guest.open(2);
      guest.open(3);
      expect(guest.ports()).to.deep.equal([1, 2, 3]);
      ask(25);
      guest.give(325);
      guest.give(425);
      expect(guest.sockets.get(425)?.sent).to.deep.equal([pattern(1)]);
      guest.bench.advance(61_000);
      guest.bench.expectNothingLeft();
    });

    it('pings are of the same kind: without replies they make room, with one they stay', () => {
      const guest = new Guest(limit);
      const pings = [1, 2].map((identifier) => {
        guest.bench.deliver(buildEcho(ENDS4, identifier, 1, pattern(8)));
        return guest.give(100 + identifier);
      });
      guest.open(3);
      pings[0]?.answer(echoMessage(ENDS4, 0, 101, 1, pattern(8)));
      guest.bench.settle();
      guest.open(4);
      guest.open(5);
      expect(guest.ports()).to.deep.equal([101, 4, 5]);
      expect(guest.bench.counter('ping_flows_ended')).to.equal(1);
      guest.bench.deliver(buildEcho(ENDS4, 6, 1, pattern(8)));
      guest.give(106);
      expect(guest.ports()).to.deep.equal([101, 5, 106]);
    });

    it('connections take the place of unanswered flows, and are never taken from', () => {
      const guest = new Guest(limit);
      for (const port of [1, 2, 3]) guest.open(port);
      for (const port of [11, 12, 13]) {
        guest.bench.deliver(buildSegment(ENDS4, syn(port)));
        guest.bench.kernel.opener.answer(0, new FakeStream());
        guest.bench.settle();
      }
      expect(guest.ports()).to.deep.equal([]);
      expect(guest.bench.flows()).to.equal(3);
      guest.send(4);
      expect(guest.bench.counter('udp_flows_refused')).to.equal(1);
    });
  });
}

describe('worker/flow: room for one flow only', () => {
  it('what it still had to send is sent before it makes room', () => {
    const guest = new Guest({ flows: 1 });
    const first = guest.open(1);
    guest.bench.deliver(...[1, 2].map((port) => buildDatagram(ENDS4, port, FAR, pattern(9, port))));
    expect(first.sent.at(-1)).to.deep.equal(pattern(9, 1));
    expect(first.closed).to.equal(true);
  });
});

describe('worker/flow: room, in any order', () => {
  it('those that are there are those that a list kept by hand says', () => {
    const step = fc.record({ port: fc.integer({ min: 1, max: 12 }), what: fc.constantFrom('send', 'send', 'answer', 'wait') });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const guest = new Guest({ flows: 4 });
        const unanswered: number[] = [];
        const answered: number[] = [];
        for (const { port, what } of steps) {
          const known = guest.ports().includes(port);
          if (what === 'wait') guest.bench.advance(1);
          else if (what === 'answer' && known) {
            guest.answer(port);
            if (!unanswered.includes(port)) continue;
            unanswered.splice(unanswered.indexOf(port), 1);
            answered.push(port);
          } else if (what === 'send' && known) {
            guest.send(port);
            if (unanswered.includes(port)) unanswered.push(...unanswered.splice(unanswered.indexOf(port), 1));
          } else if (what === 'send') {
            if (answered.length === 4) guest.send(port);
            else {
              if (unanswered.length + answered.length === 4) unanswered.shift();
              unanswered.push(port);
              guest.open(port);
            }
          }
          expect(guest.ports().sort()).to.deep.equal([...unanswered, ...answered].sort());
        }
        guest.bench.advance(121_000);
        guest.bench.expectNothingLeft();
      }),
      { numRuns: 150 },
    );
  });
});
