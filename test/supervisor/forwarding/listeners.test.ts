/** Tables that take each other's place, over a host some of whose ports are others'. */
import { expect } from 'chai';
import fc from 'fast-check';
import { parseAddress, sameAddress } from '../../../shared/addresses.ts';
import { Listeners } from '../../../supervisor/forwarding/listeners.ts';
import { conflictOf, type ForwardingRule, sameRule } from '../../../supervisor/forwarding/rule.ts';
import { EMPTY_TABLE, type ForwardingTable, makeTable, named } from '../../../supervisor/forwarding/table.ts';
import type { ListenQuestion, OpenerReply } from '../../../supervisor/opener.ts';

const EADDRINUSE = 98;
const ENABLED = { ipv4: true, ipv6: true, tcp: true, udp: true, scan: true };
const ADDRESSES = [null, parseAddress('192.0.2.2'), parseAddress('192.0.2.3')];

/** A socket of the host or the guest. */
interface Socket extends ListenQuestion {
  readonly side: string;
}

/** Openers, worker and kernel of a run: who has which port. */
class FakeHost {
  /** Ports that others have, as `side protocol port`. */
  readonly others = new Set<string>();
  /** By descriptor. */
  readonly sockets = new Map<number, Socket>();
  /** What the worker serves: descriptors by number. */
  readonly served = new Map<number, { descriptor: number; targetPort: number }>();
  /** Numbers that were ever taken back. */
  readonly taken: number[] = [];
  readonly listeners: Listeners;
  readonly descriptors = { limit: 1000, listeners: 900 };
  /** The most that there were at once. */
  mostSockets = 0;
  #descriptor = 100;
  #closing: number[] = [];

  constructor() {
    this.listeners = new Listeners({
      openers: { host: this.#opener('host'), guest: this.#opener('guest') },
      worker: {
        giveListeners: (facts, descriptors) =>
          facts.forEach(({ id, targetPort }, index) => {
            expect(this.served.has(id as number), `number ${id} is used twice`).to.equal(false);
            this.served.set(id as number, { descriptor: descriptors[index] as number, targetPort: targetPort as number });
          }),
        takeListeners: (ids) => {
          for (const id of ids) {
            this.#closing.push(this.served.get(id)?.descriptor as number);
            expect(this.served.delete(id), `number ${id} is taken back twice`).to.equal(true);
            this.taken.push(id);
          }
        },
        // The worker closes when it comes to it, and not before.
        settled: async () => {
          for (const descriptor of this.#closing.splice(0)) this.sockets.delete(descriptor);
          return 1000;
        },
      },
      enabled: ENABLED,
      freeBind: false,
      interfaceIndex: () => 2,
      descriptors: this.descriptors,
      uplink: () => 0,
      inodeOf: (descriptor: number) => descriptor,
    });
  }

  #opener(side: string): ConstructorParameters<typeof Listeners>[0]['openers']['host'] {
    const answers: OpenerReply[] = [];
    return {
      postListener: (question) => void answers.push(this.#bind({ ...question, side })),
      collectListener: () => answers.shift() as OpenerReply,
      setPorts: () => undefined,
    };
  }

  #bind(wanted: Socket): OpenerReply {
    const meets = (other: Socket): boolean =>
      other.side === wanted.side &&
      other.protocol === wanted.protocol &&
      other.port === wanted.port &&
      (other.both || wanted.both || sameAddress(other.address, wanted.address));
    if (this.others.has(`${wanted.side} ${wanted.protocol} ${wanted.port}`) || [...this.sockets.values()].some(meets))
      return { result: -EADDRINUSE, descriptor: null };
    this.sockets.set(++this.#descriptor, wanted);
    this.mostSockets = Math.max(this.mostSockets, this.sockets.size);
    return { result: wanted.port, descriptor: this.#descriptor };
  }

  /** What is served, in words, by number. */
  shown(): Map<number, string> {
    return new Map(
      [...this.served].map(([id, { descriptor, targetPort }]) => {
        const { side, protocol, both, address, port } = this.sockets.get(descriptor) as Socket;
        return [id, `${side} ${protocol} ${both ? '*' : address} ${port} to ${targetPort}`];
      }),
    );
  }
}

/** What a table asks for, in the same words, without ports that others have and nobody must have. */
function expected({ host, guest }: ForwardingTable, others: ReadonlySet<string>): string[] {
  return [...host, ...guest]
    .flatMap(({ side, protocol, address, first, last, targetFirst, scan }) =>
      Array.from({ length: scan ? 0 : last - first + 1 }, (_, index) => first + index)
        .filter((port) => !others.has(`${side} ${protocol} ${port}`))
        .map((port) => `${side} ${protocol} ${address ?? '*'} ${port} to ${port - first + targetFirst}`),
    )
    .sort();
}

function rule(first: number, change: Partial<ForwardingRule> = {}): ForwardingRule {
  const ports = { first, last: first, targetFirst: first };
  const rest = { address: null, interfaceName: null, target: null, weak: false, scan: false };
  return { protocol: 'tcp', side: 'host', ...ports, ...rest, ...change };
}

const table = (...rules: ForwardingRule[]): ForwardingTable => makeTable(rules.map(named));

const anyRule: fc.Arbitrary<ForwardingRule> = fc
  .record({
    protocol: fc.constantFrom('tcp' as const, 'udp' as const),
    side: fc.constantFrom('host' as const, 'guest' as const),
    address: fc.constantFrom(...ADDRESSES),
    first: fc.integer({ min: 1, max: 6 }),
    more: fc.integer({ min: 0, max: 3 }),
    shift: fc.constantFrom(0, 0, 10),
    weak: fc.constantFrom(false, false, true),
  })
  .map(({ first, more, shift, side, address, ...rest }) =>
    rule(first, {
      ...rest,
      side,
      // The guest's side listens on one link only.
      interfaceName: side === 'guest' ? 'lo' : null,
      address: side === 'guest' ? null : address,
      last: first + more,
      targetFirst: first + shift,
    }),
  );

/** Rules that can be together. */
const anyTable = fc.array(anyRule, { maxLength: 6 }).map((rules) => {
  const kept: ForwardingRule[] = [];
  for (const one of rules) if (kept.every((other) => conflictOf(one, other) === null)) kept.push(one);
  return table(...kept);
});

const anyOthers = fc.array(
  fc.tuple(fc.constantFrom('host', 'guest'), fc.constantFrom('tcp', 'udp'), fc.integer({ min: 1, max: 9 })).map((parts) => parts.join(' ')),
  { maxLength: 3 },
);

describe('supervisor/forwarding/listeners', () => {
  it('opens a table, and closes it', async () => {
    const host = new FakeHost();
    const asked = table(rule(80, { last: 89, targetFirst: 8080 }), rule(53, { protocol: 'udp' }));
    expect(await host.listeners.apply(asked)).to.equal(null);
    expect([...host.shown().values()].sort()).to.deep.equal(expected(asked, new Set()));
    expect(host.listeners.count).to.equal(11);
    expect(await host.listeners.apply(EMPTY_TABLE)).to.equal(null);
    expect([host.served.size, host.sockets.size, host.listeners.count]).to.deep.equal([0, 0, 0]);
  });

  it('puts a rule in place of another on the same port', async () => {
    const host = new FakeHost();
    await host.listeners.apply(table(rule(80)));
    const asked = table(rule(80, { targetFirst: 8080 }), rule(81));
    expect(await host.listeners.apply(asked)).to.equal(null);
    expect([...host.shown().values()].sort()).to.deep.equal(expected(asked, new Set()));
  });

  it('touches nothing that was open when a new port can not be had', async () => {
    const host = new FakeHost();
    await host.listeners.apply(table(rule(80), rule(81)));
    const before = host.shown();
    host.others.add('host tcp 90');
    for (const asked of [table(rule(80), rule(81), rule(85, { last: 95 })), table(rule(82), rule(90)), table(rule(90))])
      expect(await host.listeners.apply(asked)).to.match(/can't listen on TCP port 90 \(address already in use\)/);
    expect(host.shown()).to.deep.equal(before);
    expect(before.size).to.equal(2);
    for (const id of before.keys()) expect(host.taken).not.to.include(id);
    expect(host.listeners.current()).to.deep.equal(table(rule(80), rule(81)));
  });

  it('puts one table in place of another where there is no room for both', async () => {
    const host = new FakeHost();
    const [first, second] = [table(rule(1000, { last: 1499 })), table(rule(2000, { last: 2799 }))];
    for (const asked of [first, second, first]) {
      expect(await host.listeners.apply(asked)).to.equal(null);
      expect(host.mostSockets).to.be.at.most(host.descriptors.listeners);
      expect(host.listeners.count).to.equal(asked.host[0]!.last - asked.host[0]!.first + 1);
    }
    expect(await host.listeners.apply(table(rule(1, { last: 901 })))).to.contain("raise it with 'ulimit -Hn 1001' as root");
    expect(host.listeners.current()).to.equal(first);
  });

  it('has all as it was when the port of another is not to be had after all', async () => {
    const host = new FakeHost();
    const before = table(rule(80), rule(81));
    await host.listeners.apply(before);
    host.others.add('host tcp 80');
    // Its own socket holds the port; without it the other's does.
    expect(await host.listeners.apply(table(rule(80, { targetFirst: 8080 }), rule(81)))).to.contain('port 80');
    host.others.clear();
    expect(host.listeners.current()).to.deep.equal(before);
    expect(await host.listeners.apply(before)).to.equal(null);
    expect([...host.shown().values()].sort()).to.deep.equal(expected(before, new Set()));
  });

  it('after any table comes any other: in force as a whole, or all is as before; what stays is not touched', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(anyTable, anyOthers), { minLength: 1, maxLength: 5 }), async (steps) => {
        const host = new FakeHost();
        for (const [asked, others] of steps) {
          // Who came first has the port.
          const held = new Set([...host.sockets.values()].map(({ side, protocol, port }) => `${side} ${protocol} ${port}`));
          host.others.clear();
          for (const name of others) if (!held.has(name)) host.others.add(name);
          const [before, shownBefore] = [host.listeners.current(), host.shown()];
          const fault = await host.listeners.apply(asked);
          const shown = [...host.shown().values()].sort();
          if (fault === null) {
            expect(host.listeners.current()).to.equal(asked);
            expect(shown).to.deep.equal(expected(asked, host.others));
          } else {
            expect(host.listeners.current()).to.equal(before);
            expect(shown).to.deep.equal([...shownBefore.values()].sort());
          }
          const rulesOf = ({ host: ofHost, guest }: ForwardingTable): ForwardingRule[] => [...ofHost, ...guest];
          const staying = rulesOf(before).filter((one) => rulesOf(asked).some((other) => sameRule(one, other)));
          const untouched = new Set(staying.flatMap((one) => expected(table(one), new Set())));
          for (const [id, words] of shownBefore) if (untouched.has(words)) expect(host.shown().get(id)).to.equal(words);
          expect(host.sockets.size).to.equal(host.served.size);
        }
      }),
      { numRuns: 300 },
    );
  });
});
