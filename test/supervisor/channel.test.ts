/** The channel against a hostile worker: only the one encoding of a permitted message passes. */
import { expect } from 'chai';
import fc from 'fast-check';
import { ravioli } from '../../shared/channel.gen.js';
import { COUNTERS } from '../../shared/counters.ts';
import { FLOWS_PER_PAGE, MAX_ENVELOPE, MAX_FLOWS, MAX_LISTENERS } from '../../shared/limits.ts';
import { MessageId } from '../../shared/messages.ts';
import { Phase } from '../../shared/permits.ts';
import { CHANNEL_VERSION } from '../../shared/roles.ts';
import type { Native } from '../../native/supervisor.d.ts';
import { type Body, decodeFromWorker, type Envelope, Violation, WorkerChannel } from '../../supervisor/channel.ts';

const encode = (body: ravioli.Envelope.$Properties): Uint8Array => Uint8Array.from(ravioli.Envelope.encode(body).finish());

const HELLO = encode({ hello: { version: CHANNEL_VERSION, pid: 1 } });
const SEALED = encode({ sealed: { result: 0 } });
const LOG = encode({ log: { level: 1, message: MessageId.FLOW_LIMIT, values: [1, -2, 3] } });
const STATUS = encode({ status: { counters: COUNTERS.map((_, index) => index), flows: 3 } });
const ADDRESS = new Uint8Array(16).fill(1);
const FLOW = { protocol: 6, state: 4, guest: ADDRESS, guestPort: 40_000, far: ADDRESS, farPort: 65_535, age: 4_294_967_295 };
const FLOWS = encode({
  id: 1,
  flows: { next: MAX_FLOWS - 1, flows: [FLOW, { ...FLOW, host: ADDRESS, hostPort: 1, fromGuest: 2 ** 53 - 1 }] },
});
const DRAINED = encode({ drained: {} });

/** A list with one flow that differs from one that can be. */
function listWith(change: ravioli.Flow.$Properties): Uint8Array {
  return encode({ id: 1, flows: { flows: [{ ...FLOW, ...change }] } });
}

/** The phase in which each body of the worker is welcome. */
const WELCOME: readonly (readonly [string, Uint8Array, Phase])[] = [
  ['hello', HELLO, Phase.STARTED],
  ['sealed', SEALED, Phase.SEALING],
  ['log', LOG, Phase.RUNNING],
  ['status', STATUS, Phase.RUNNING],
  ['flows', FLOWS, Phase.RUNNING],
  ['drained', DRAINED, Phase.DRAINING],
];

const PHASES = Object.values(Phase);

/** Datagrams that a fake socket has in store; numbers are results of the call. */
class FakeNative {
  readonly incoming: ({ bytes: Uint8Array; fds: number[] } | null | number)[] = [];
  readonly sent: { bytes: Uint8Array; fds: readonly number[] }[] = [];
  readonly closed: number[] = [];
  stopped = false;
  sendResult = 0;
  #readable: () => void = () => {};

  wake(): void {
    this.#readable();
  }

  get native(): Native {
    return {
      watch: (_fd: number, readable: () => void) => {
        this.#readable = readable;
        return { stop: () => (this.stopped = true) };
      },
      receiveWithDescriptors: () => (this.incoming.length > 0 ? (this.incoming.shift() as null) : -11),
      sendWithDescriptors: (_fd: number, bytes: Uint8Array, fds: readonly number[]) => {
        this.sent.push({ bytes, fds });
        return this.sendResult;
      },
      close: (fd: number) => this.closed.push(fd),
    } as unknown as Native;
  }
}

function open(): { fake: FakeNative; channel: WorkerChannel; messages: Envelope[]; violations: string[]; ends: number } {
  const fake = new FakeNative();
  const state = { fake, messages: [] as Envelope[], violations: [] as string[], ends: 0 } as ReturnType<typeof open>;
  state.channel = new WorkerChannel(fake.native, 7, {
    message: (envelope) => state.messages.push(envelope),
    violation: (reason) => state.violations.push(reason),
    closed: () => state.ends++,
  });
  return state;
}

describe('supervisor/channel: decodeFromWorker', () => {
  for (const [body, bytes, welcome] of WELCOME) {
    it(`takes ${body} in its phase and in no other`, () => {
      for (const phase of PHASES) {
        const alsoWhileDraining = phase === Phase.DRAINING && ['log', 'status', 'flows'].includes(body);
        if (phase === welcome || alsoWhileDraining) {
          expect(decodeFromWorker(bytes, phase).body).to.equal(body);
        } else {
          expect(() => decodeFromWorker(bytes, phase)).to.throw(Violation);
        }
      }
    });
  }

  it('takes refusals of listeners from when there can be any', () => {
    for (const phase of PHASES) {
      const read = (): string => decodeFromWorker(encode({ noRoom: { ids: [0, MAX_LISTENERS - 1] } }), phase).body;
      if (phase >= Phase.SEALED) expect(read()).to.equal('noRoom');
      else expect(read).to.throw(Violation);
    }
  });

  it('takes none of the supervisor’s own bodies in any phase', () => {
    for (const body of [
      { memory: {} },
      { config: {} },
      { seal: {} },
      { grant: {} },
      { start: {} },
      { statusRequest: {} },
      { flowsRequest: {} },
      { resolvers: {} },
      { drain: {} },
    ]) {
      for (const phase of PHASES) {
        expect(() => decodeFromWorker(encode(body), phase)).to.throw(Violation);
      }
    }
  });

  const refused: readonly (readonly [string, Uint8Array, Phase])[] = [
    ['a refusal of a listener that can’t be', encode({ noRoom: { ids: [MAX_LISTENERS] } }), Phase.RUNNING],
    ['an empty datagram', new Uint8Array(0), Phase.STARTED],
    ['an envelope with an id only', encode({ id: 5 }), Phase.STARTED],
    ['a datagram above the limit', new Uint8Array(MAX_ENVELOPE + 1), Phase.STARTED],
    ['an unknown field behind the body', Uint8Array.of(...HELLO, 0x98, 0x06, 0x01), Phase.STARTED],
    ['an unknown field inside the body', Uint8Array.of(0x82, 0x01, HELLO.length - 3 + 2, ...HELLO.slice(3), 0x78, 0x01), Phase.STARTED],
    ['two bodies', Uint8Array.of(...SEALED, ...HELLO), Phase.STARTED],
    ['the same body twice', Uint8Array.of(...HELLO, ...HELLO), Phase.STARTED],
    ['a default that is spelled out', Uint8Array.of(0x08, 0x00, ...HELLO), Phase.STARTED],
    ['a varint longer than needed', Uint8Array.of(0x82, 0x81, 0x00, ...HELLO.slice(2)), Phase.STARTED],
    ['a body that is cut', HELLO.slice(0, -1), Phase.STARTED],
    ['another version', encode({ hello: { version: CHANNEL_VERSION + 1, pid: 1 } }), Phase.STARTED],
    ['a level that is none', encode({ log: { level: 5, message: MessageId.TAP_GONE } }), Phase.RUNNING],
    ['a message that is none', encode({ log: { level: 1, message: 9999 } }), Phase.RUNNING],
    [
      'a message with too many values',
      encode({ log: { level: 1, message: MessageId.TAP_GONE, values: new Array(17).fill(1) } }),
      Phase.RUNNING,
    ],
    ['a status with a counter too few', encode({ status: { counters: COUNTERS.slice(1).map(() => 0) } }), Phase.RUNNING],
    ['a status with a negative counter', encode({ status: { counters: COUNTERS.map(() => -1) } }), Phase.RUNNING],
    ['more flows than a page has', encode({ flows: { flows: new Array(FLOWS_PER_PAGE + 1).fill(FLOW) } }), Phase.RUNNING],
    ['a row behind the table', encode({ flows: { next: MAX_FLOWS } }), Phase.RUNNING],
    ['a flow of another protocol', listWith({ protocol: 7 }), Phase.RUNNING],
    ['a flow in no state', listWith({ state: 0 }), Phase.RUNNING],
    ['a flow in a state that there isn’t', listWith({ state: 14 }), Phase.RUNNING],
    ['a flow with half an address', listWith({ guest: ADDRESS.subarray(1) }), Phase.RUNNING],
    ['a flow without its far end', listWith({ far: new Uint8Array(0) }), Phase.RUNNING],
    ['a flow with a long address', listWith({ host: new Uint8Array(17) }), Phase.RUNNING],
    ['a flow with a port that is none', listWith({ hostPort: 65_536 }), Phase.RUNNING],
    ['a flow with half a byte', listWith({ toGuest: 0.5 }), Phase.RUNNING],
    ['a flow with fewer bytes than none', listWith({ fromGuest: -1 }), Phase.RUNNING],
    ['a flow with countless bytes', listWith({ fromGuest: Number.POSITIVE_INFINITY }), Phase.RUNNING],
    ['a status that is not a number', encode({ status: { counters: COUNTERS.map(() => Number.NaN) } }), Phase.RUNNING],
  ];
  for (const [name, bytes, phase] of refused) {
    it(`refuses ${name}`, () => {
      expect(() => decodeFromWorker(bytes, phase)).to.throw(Violation);
    });
  }

  it('gives a value or a Violation for any bytes, never anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.constantFrom(...PHASES), (bytes, phase) => {
        try {
          expect(encode(decodeFromWorker(bytes, phase))).to.deep.equal(bytes);
        } catch (error) {
          expect(error).to.be.instanceOf(Violation);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('takes nothing but its own encoding when one byte of a good message is changed, added or dropped', () => {
    const messages = fc.constantFrom(...WELCOME);
    fc.assert(
      fc.property(
        messages,
        fc.nat(),
        fc.integer({ min: 0, max: 255 }),
        fc.constantFrom('set', 'add', 'drop'),
        ([, good, phase], at, byte, how) => {
          const bytes = [...good];
          bytes.splice(at % good.length, how === 'add' ? 0 : 1, ...(how === 'drop' ? [] : [byte]));
          const changed = Uint8Array.from(bytes);
          try {
            expect(encode(decodeFromWorker(changed, phase))).to.deep.equal(changed);
          } catch (error) {
            expect(error).to.be.instanceOf(Violation);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('supervisor/channel: WorkerChannel', () => {
  it('goes through the phases with what is sent and received', () => {
    const { fake, channel, messages } = open();
    const receive = (bytes: Uint8Array): void => {
      fake.incoming.push({ bytes, fds: [] });
      fake.wake();
    };
    channel.send({ memory: { maxFlows: 1 } }, [9]);
    receive(HELLO);
    channel.send({ config: { mtu: 1500 } });
    channel.send({ seal: { filter: new Uint8Array(8) } });
    receive(SEALED);
    channel.send({ grant: { kind: 1, value: 2 } }, [10]);
    channel.send({ grant: { kind: 2 } }, [11]);
    channel.send({ start: {} });
    receive(LOG);
    receive(STATUS);
    expect(channel.phase).to.equal(Phase.RUNNING);
    expect(messages.map((envelope) => envelope.body)).to.deep.equal(['hello', 'sealed', 'log', 'status']);
    expect(fake.sent.map(({ fds }) => fds)).to.deep.equal([[9], [], [], [10], [11], []]);
  });

  const early: readonly (readonly [{ [K in Body]?: object }, readonly number[]])[] = [
    [{ config: {} }, []],
    [{ start: {} }, []],
    [{ grant: {} }, [1]],
  ];
  for (const [body, fds] of early) {
    it(`refuses to send ${Object.keys(body)[0]} before the worker has greeted`, () => {
      const { fake, channel } = open();
      expect(() => channel.send(body, fds)).to.throw(/may not be sent/);
      expect(fake.sent).to.have.length(0);
    });
  }

  it('refuses to send a body without its descriptor', () => {
    const { channel } = open();
    expect(() => channel.send({ memory: {} })).to.throw(/with 0 descriptors/);
  });

  it('reports a socket that refuses', () => {
    const { fake, channel } = open();
    fake.incoming.push({ bytes: HELLO, fds: [] });
    fake.wake();
    fake.sendResult = -32;
    expect(() => channel.send({ config: {} })).to.throw(/errno 32/);
  });

  const attacks: readonly (readonly [string, { bytes: Uint8Array; fds: number[] } | number])[] = [
    ['a descriptor', { bytes: HELLO, fds: [41, 42] }],
    ['a truncated datagram', -90],
    ['garbage', { bytes: Uint8Array.of(0xff, 0xff), fds: [] }],
    ['a body too early', { bytes: LOG, fds: [] }],
  ];
  for (const [name, datagram] of attacks) {
    it(`ends the dialogue at ${name}, once, and reads nothing after it`, () => {
      const { fake, messages, violations } = open();
      fake.incoming.push(datagram, { bytes: HELLO, fds: [] }, datagram);
      fake.wake();
      fake.wake();
      expect(violations).to.have.length(1);
      expect(messages).to.have.length(0);
      expect(fake.stopped).to.equal(true);
      expect(fake.closed).to.include(7);
      if (typeof datagram !== 'number') {
        expect(fake.closed).to.include.members(datagram.fds);
      }
    });
  }

  it('tells once when the worker’s end is closed', () => {
    for (const end of [null, -104]) {
      const state = open();
      state.fake.incoming.push(end, null);
      state.fake.wake();
      state.fake.wake();
      expect(state.ends).to.equal(1);
      expect(state.violations).to.have.length(0);
    }
  });

  it('leaves a flood for the next wake-up', () => {
    const { fake, messages, channel } = open();
    fake.incoming.push({ bytes: HELLO, fds: [] });
    fake.wake();
    channel.send({ config: {} });
    channel.send({ seal: {} });
    fake.incoming.push({ bytes: SEALED, fds: [] });
    fake.wake();
    channel.send({ start: {} });
    for (let count = 0; count < 1000; count++) {
      fake.incoming.push({ bytes: LOG, fds: [] });
    }
    fake.wake();
    expect(messages.length).to.be.lessThan(200);
    expect(fake.incoming.length).to.be.greaterThan(800);
  });
});
