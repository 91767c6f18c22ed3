/** What is told, to whom, when the host's network has changed. */
import { expect } from 'chai';
import { formatAddress } from '../../shared/addresses.ts';
import { parseArguments } from '../../supervisor/args.ts';
import { makePlan, type Plan, type WorkerPlan } from '../../supervisor/config/plan.ts';
import { HostFollower } from '../../supervisor/host-follower.ts';
import { NetlinkDialogue, NetlinkError } from '../../supervisor/host/netlink.ts';
import { NO_RESOLVERS } from '../../supervisor/host/resolvers.ts';
import { probeTemplate, type Template } from '../../supervisor/host/template.ts';
import { UsageError } from '../../supervisor/usage-error.ts';
import { FakeKernel, type FakeTables } from '../support/fake_rtnetlink.ts';
import { withoutDefaults } from '../support/forwarding_words.ts';

const LINKS = [
  { index: 2, name: 'eth0' },
  { index: 3, name: 'wlan0' },
];
const FIRST: FakeTables = {
  links: LINKS,
  addresses: [
    { index: 2, address: '192.0.2.2', length: 24 },
    { index: 2, address: '2001:db8::2', length: 64 },
    { index: 2, address: 'fe80::2', length: 64, scope: 253 },
  ],
  routes: [{ hops: [{ index: 2, gateway: '192.0.2.1' }] }, { family: 6, hops: [{ index: 2, gateway: 'fe80::1' }] }],
};
const SECOND: FakeTables = {
  links: LINKS,
  addresses: [...FIRST.addresses, { index: 3, address: '203.0.113.2', length: 24 }],
  routes: [{ hops: [{ index: 3, gateway: '203.0.113.1' }] }, ...FIRST.routes],
};
const NOTHING: FakeTables = { links: LINKS, addresses: [], routes: [] };
const NO_GATEWAY: FakeTables = { ...FIRST, routes: [{ hops: [{ index: 2 }] }] };
const NO_DEFAULT: FakeTables = {
  ...FIRST,
  routes: [
    { to: '192.0.2.0', length: 24, hops: [{ index: 2 }] },
    { to: '2001:db8::', length: 64, hops: [{ index: 2 }] },
  ],
};
const ONLY4: FakeTables = { ...FIRST, addresses: FIRST.addresses.slice(0, 1), routes: FIRST.routes.slice(0, 1) };
const VISITOR: FakeTables = { ...FIRST, addresses: [{ index: 2, address: '198.51.100.7', length: 32 }, ...FIRST.addresses] };

const FACTS = {
  hostname: 'host',
  resolvers: NO_RESOLVERS,
  udpTimeouts: { unanswered: 33_000, answered: 133_000 },
  ephemeralPorts: { first: 32_768, last: 60_999 },
  handedSockets: [],
};

/** A follower, the host's tables, and what was told. */
class Bench {
  tables: FakeTables;
  probeError: Error | null = null;
  changeError: Error | null = null;
  readonly told: string[] = [];
  readonly follower: HostFollower;
  facts: Partial<WorkerPlan> = {};
  readonly worker = {
    isOpen: true,
    setFacts: (facts: { guestAddress4?: Uint8Array | null; mapHostLoopback4?: Uint8Array | null; templateInterface?: number | null }) => {
      this.facts = facts as Partial<WorkerPlan>;
      const text = (bytes: Uint8Array | null | undefined): string => (bytes?.length === 16 ? formatAddress(bytes) : '-');
      this.told.push(`worker ${text(facts.guestAddress4)} loopback ${text(facts.mapHostLoopback4)} link ${facts.templateInterface}`);
    },
  };

  constructor(line = '', tables = FIRST, isConfigured = true) {
    this.tables = tables;
    const invocation = parseArguments('pasta', withoutDefaults(line.split(' ').filter((word) => word !== '')));
    if (invocation.kind !== 'run') throw new Error('no run');
    const { options } = invocation;
    const probe = (held: Template | null): Template => {
      if (this.probeError !== null) throw this.probeError;
      return probeTemplate(new NetlinkDialogue(new FakeKernel(this.tables), 5), options, held);
    };
    const replan = (template: Template): Plan => makePlan(options, template, FACTS);
    const template = probe(null);
    const change = ({ ipv4 }: Plan['namespace']): string[] => {
      if (this.changeError !== null) throw this.changeError;
      this.told.push(`guest ${ipv4?.addresses.map(({ address }) => formatAddress(address)).join(' ')}`);
      return [];
    };
    this.follower = new HostFollower(
      {
        native: null as never,
        probe,
        replan,
        worker: this.worker,
        network: isConfigured ? { change } : null,
        names: {
          remap: ({ mapHostLoopback4 }) => this.told.push(`names ${mapHostLoopback4.length === 0 ? '-' : formatAddress(mapHostLoopback4)}`),
        },
        log: { info: (text) => this.told.push(text), warning: (text) => this.told.push(`warning: ${text}`) },
        failed: (text) => this.told.push(`failed: ${text}`),
      },
      { template, plan: replan(template) },
    );
  }

  look(tables?: FakeTables): string[] {
    if (tables !== undefined) this.tables = tables;
    this.told.length = 0;
    this.follower.look();
    return [...this.told];
  }
}

const MOVED =
  "the host's network has changed: IPv4 is 203.0.113.2/24 through 203.0.113.1 by wlan0 now (it was 192.0.2.2/24 through 192.0.2.1 by eth0)";

describe('supervisor/host-follower', () => {
  it('tells nobody when nothing is different, whatever the order of the tables', () => {
    const bench = new Bench();
    expect(bench.look()).to.eql([]);
    expect(bench.look({ ...FIRST, addresses: [...FIRST.addresses].reverse() })).to.eql([]);
  });

  it('changes the guest, then the worker, then says so, then whoever depends on addresses', () => {
    const bench = new Bench('--config-net');
    expect(bench.look(SECOND)).to.eql(['guest 203.0.113.2', 'worker 203.0.113.2 loopback 203.0.113.1 link 2', MOVED, 'names 203.0.113.1']);
    expect(bench.look()).to.eql([]);
  });

  it('leaves the interface to a guest that sets itself up', () => {
    expect(new Bench('', FIRST, false).look(SECOND)).to.eql(['worker 203.0.113.2 loopback 203.0.113.1 link 2', MOVED, 'names 203.0.113.1']);
  });

  it('leaves what an option has named', () => {
    const bench = new Bench('--config-net -a 10.0.0.5 -g 10.0.0.1');
    expect(bench.look(SECOND).filter((line) => line.startsWith('guest') || line.startsWith('worker'))).to.eql(['guest 10.0.0.5']);
  });

  it("holds the guest's address as long as the host has it", () => {
    const bench = new Bench('--config-net');
    expect(bench.look(VISITOR)).to.eql([
      'guest 198.51.100.7 192.0.2.2',
      "the host's network has changed: IPv4 has other routes or further addresses, still by eth0",
    ]);
    expect(bench.look({ ...VISITOR, addresses: VISITOR.addresses.slice(0, 1) })[1]).to.match(/^worker 198\.51\.100\.7 /);
  });

  it('lets the guest keep what it has while there is no uplink', () => {
    const bench = new Bench('--config-net');
    expect(bench.look(NOTHING)).to.eql([
      "the host's network has changed: IPv4 has no uplink any more (it was eth0), and the guest keeps what it has; " +
        'IPv6 has no uplink any more (it was eth0), and the guest keeps what it has',
    ]);
    expect(bench.look()).to.eql([]);
    expect(bench.look(FIRST)).to.eql([
      "the host's network has changed: IPv4 has an uplink again: 192.0.2.2/24 through 192.0.2.1 by eth0; " +
        'IPv6 has an uplink again: 2001:db8::2/64 through fe80::1 by eth0',
    ]);
  });

  const routerOf = ({ facts }: Bench): unknown[] => [
    facts.defaultRouter6,
    facts.dhcp,
    ...[facts.gateway4, facts.gateway6, facts.ourLinkLocal, facts.mapHostLoopback4, facts.mapHostLoopback6].map((address) =>
      address?.length === 16 ? formatAddress(address) : '-',
    ),
  ];
  const KEPT = ['192.0.2.1', 'fe80::1', 'fe80::1', '192.0.2.1', 'fe80::1'];

  it('has a guest that sets itself up told that IPv6 leads nowhere, when it does not', () => {
    const bench = new Bench('', FIRST, false);
    for (const tables of [ONLY4, NOTHING, NO_DEFAULT]) {
      bench.look(tables);
      expect(routerOf(bench)).to.eql([false, true, ...KEPT]);
      bench.look(FIRST);
      expect(routerOf(bench)).to.eql([true, true, ...KEPT]);
    }
    const begun = new Bench('', ONLY4, false);
    begun.look(SECOND);
    expect(begun.facts.defaultRouter6).to.equal(true);
    begun.look({ ...ONLY4, routes: [{ hops: [{ index: 3, gateway: '203.0.113.1' }] }] });
    expect(begun.facts.defaultRouter6).to.equal(false);
  });

  it('lets the way to this host alone be one as long as there never was another', () => {
    const bench = new Bench('', NOTHING, false);
    bench.look(ONLY4);
    expect(bench.facts.defaultRouter6).to.equal(true);
  });

  it('keeps its address on the link of a guest that sets itself up when the host has no gateway any more', () => {
    const bench = new Bench('', FIRST, false);
    bench.look(NO_DEFAULT);
    expect(routerOf(bench).slice(1)).to.eql([true, ...KEPT]);
    const configured = new Bench('--config-net');
    configured.look(NO_DEFAULT);
    expect(routerOf(configured).slice(2)).to.eql(['-', '-', 'fe80::2', '-', '-']);
  });

  it('gives one to a guest that began without', () => {
    const told = new Bench('--config-net', NOTHING).look(FIRST);
    expect(told.slice(0, 2)).to.eql(['guest 192.0.2.2', 'worker 192.0.2.2 loopback 192.0.2.1 link 2']);
    expect(told[2]).to.match(/IPv4 has an uplink: 192\.0\.2\.2\/24 through 192\.0\.2\.1 by eth0; IPv6 has an uplink: /);
  });

  it('takes an interface that was named and is gone for no uplink', () => {
    const bench = new Bench('--config-net -i eth0');
    bench.probeError = new UsageError('there is no such interface');
    expect(bench.look()).to.have.length(1);
    expect(bench.told[0]).to.match(/IPv4 has no uplink any more/);
    bench.probeError = null;
    expect(bench.look()[0]).to.match(/IPv4 has an uplink again/);
  });

  it('waits for the next change when the tables can not be read', () => {
    const bench = new Bench();
    bench.probeError = new NetlinkError(105, 'no room');
    expect(bench.look()).to.eql([]);
  });

  it("never opens the host's loopback to a guest that began without it", () => {
    const bench = new Bench('--config-net', NO_GATEWAY);
    expect(bench.look(FIRST)).to.include('worker 192.0.2.2 loopback - link 2');
    expect(new Bench('--config-net').look(NO_GATEWAY)).to.include('worker 192.0.2.2 loopback - link 2');
  });

  it('goes on when the guest can not be reached, and says so', () => {
    const bench = new Bench('--config-net');
    bench.changeError = new NetlinkError(1, 'refused');
    const [warning, worker] = bench.look(SECOND);
    expect(warning).to.match(/^warning: the guest's interface .*errno 1/);
    expect(worker).to.match(/^worker 203\.0\.113\.2 /);
  });

  it('ends the run when the worker can not be told, and looks no more when it is gone', () => {
    const bench = new Bench('', FIRST, false);
    bench.worker.setFacts = () => {
      throw new Error('it is full');
    };
    expect(bench.look(SECOND)).to.eql(['failed: it is full']);
    const other = new Bench();
    other.worker.isOpen = false;
    expect(other.look(SECOND)).to.eql([]);
  });
});
