import { expect } from 'chai';
import { formatAddress } from '../../shared/addresses.ts';
import { parseArguments } from '../../supervisor/args.ts';
import { makePlan } from '../../supervisor/config/plan.ts';
import { configureNamespace, raiseLoopback, type NamespaceFacts } from '../../supervisor/host/namespace.ts';
import { MessageType, NetlinkDialogue, type NetlinkMessage, parseAttributes, viewOf } from '../../supervisor/host/netlink.ts';
import { parseInterfaceAddress, parseRoute } from '../../supervisor/host/rtnetlink.ts';
import { probeTemplate } from '../../supervisor/host/template.ts';
import { UsageError } from '../../supervisor/usage-error.ts';
import { FakeKernel, type FakeTables } from '../support/fake_rtnetlink.ts';

const EPERM = 1;
const EACCES = 13;
const EEXIST = 17;
const EINVAL = 22;
const EOPNOTSUPP = 95;
const ENETUNREACH = 101;

const UPLINK: FakeTables = {
  links: [{ index: 2, name: 'eth0' }],
  addresses: [
    { index: 2, address: '192.0.2.2', length: 24 },
    { index: 2, address: '2001:db8::2', length: 64 },
    { index: 2, address: 'fe80::2', length: 64, scope: 253 },
  ],
  routes: [{ hops: [{ index: 2, gateway: '192.0.2.1' }] }, { family: 6, hops: [{ index: 2, gateway: 'fe80::1' }] }],
};
const NOTHING: FakeTables = { links: [], addresses: [], routes: [] };

/** One line per change: what a reader of strace would call it. */
function named({ type, payload }: NetlinkMessage): string {
  const message = { type, flags: 0, sequence: 0, payload };
  if (type === MessageType.NEWADDR) return `address ${formatAddress(parseInterfaceAddress(message)?.address as Uint8Array)}`;
  if (type === MessageType.NEWROUTE) return `route via ${formatAddress(parseRoute(message)?.hops[0]?.gateway as Uint8Array)}`;
  const view = viewOf(payload);
  const [attribute] = parseAttributes(payload, 16);
  if (attribute?.type === 26) return `generate ${attribute.data.at(-4) === 1 ? 'none' : 'eui64'}`;
  if (attribute?.type === 13) return `queue of ${viewOf(attribute.data).getUint32(0, true)}`;
  if (attribute !== undefined) return attribute.type === 4 ? 'mtu' : 'mac';
  return `${view.getInt32(4, true) === 1 ? 'lo' : 'tap'} up`;
}

interface Run {
  kernel: FakeKernel;
  facts: () => NamespaceFacts;
  changes: () => string[];
}

function run(line: string, verdict: (change: string, round: number) => number = () => 0, tables = UPLINK): Run {
  const invocation = parseArguments('pasta', line.split(' '));
  if (invocation.kind !== 'run') throw new Error('no run');
  const template = probeTemplate(new NetlinkDialogue(new FakeKernel(tables), 5), invocation.options);
  const plan = makePlan(invocation.options, template, {
    hostname: 'host',
    resolvers: { servers: [], search: [] },
    udpTimeouts: { unanswered: 33_000, answered: 133_000 },
    ephemeralPorts: { first: 32_768, last: 60_999 },
    handedSockets: [],
  });
  const kernel = new FakeKernel({ links: [{ index: 7, name: plan.namespace.interfaceName, mac: '02:00:00:00:00:05' }] });
  kernel.verdict = (message) => verdict(named(message), kernel.datagrams - 1);
  return {
    kernel,
    facts: () => configureNamespace(new NetlinkDialogue(kernel, 5), plan.namespace),
    changes: () => kernel.changes.map(named),
  };
}

describe('supervisor/host/namespace: the dialogue', () => {
  it('is one change where there is no interface: loopback goes up', () => {
    const kernel = new FakeKernel({ links: [] });
    expect(raiseLoopback(new NetlinkDialogue(kernel, 5))).to.include({ index: 0, mtu: 0, linkLocal: null });
    expect(kernel.changes.map(named)).to.eql(['lo up']);
    kernel.verdict = () => 1;
    expect(() => raiseLoopback(new NetlinkDialogue(kernel, 5))).to.throw(UsageError, "'lo' up");
  });

  it('is one question and one batch, in the order that leaves no address to detection', () => {
    const { kernel, facts, changes } = run('--config-net --ns-mac-addr 02:00:00:00:00:09');
    expect(formatAddress(facts().linkLocal as Uint8Array)).to.equal('fe80::ff:fe00:9');
    expect(changes()).to.eql([
      'lo up',
      'mac',
      'generate none',
      'mtu',
      'queue of 4096',
      'tap up',
      'address fe80::ff:fe00:9',
      'address 192.0.2.2',
      'address 2001:db8::2',
      'route via 192.0.2.1',
      'route via fe80::1',
      'generate eui64',
    ]);
    expect(kernel.datagrams).to.equal(2);
  });

  it('is loopback alone without --config-net', () => {
    const { facts, changes } = run('-4');
    expect(facts()).to.deep.include({ index: 7, linkLocal: null, mtu: 1500 });
    expect(changes()).to.eql(['lo up']);
  });

  it('sets no MTU with --mtu 0', () => {
    const { facts, changes } = run('--config-net -m 0');
    expect(facts().mtu).to.equal(1500);
    expect(changes()).not.to.include('mtu');
  });

  it('tries a route again while that adds others, and no longer', () => {
    const second = run('--config-net', (change, round) => (change === 'route via 192.0.2.1' && round < 2 ? ENETUNREACH : 0));
    expect(second.facts().warnings).to.eql([]);
    expect(second.kernel.datagrams).to.equal(3);
    const never = run('--config-net', (change) => (change.startsWith('route') ? ENETUNREACH : 0));
    never.facts();
    expect(never.kernel.datagrams).to.equal(3);
  });

  it('takes what exists for done', () => {
    expect(run('--config-net', (change) => (change.startsWith('route') ? EEXIST : 0)).facts().warnings).to.eql([]);
  });

  it('warns of a copied route that is refused', () => {
    const { warnings } = run('--config-net', (change) => (change === 'route via fe80::1' ? EINVAL : 0)).facts();
    expect(warnings).to.eql(['cannot add a default route in the namespace; --gateway names another one (invalid argument)']);
  });

  it('does without a link-local address where IPv6 is off', () => {
    const off = (change: string): number => (change.includes('fe80') || change.startsWith('generate') ? EOPNOTSUPP : 0);
    const { linkLocal, warnings } = run('--config-net -4', off).facts();
    expect([linkLocal, warnings]).to.eql([null, []]);
  });

  it('does without any IPv6 in local mode', () => {
    const off = (change: string): number => (change.includes('fe80') || change.startsWith('generate') ? EACCES : 0);
    expect(run('--config-net', off, NOTHING).facts().warnings).to.eql([]);
  });

  for (const [line, change, errno, message] of [
    [
      '--config-net',
      'address 2001:db8::2',
      EACCES,
      /^cannot add address 2001:db8::2\/64: IPv6 is switched off .*--ipv4-only \(permission denied\)$/,
    ],
    [
      '--config-net -g 192.0.2.9',
      'route via 192.0.2.9',
      ENETUNREACH,
      /^cannot add default route through 192.0.2.9 .*\(network is unreachable\)$/,
    ],
    ['--config-net', 'mtu', EINVAL, /^the kernel refuses MTU 65520 for the interface/],
    ['-4', 'lo up', EPERM, /^cannot set 'lo' up in the namespace; it belongs to another user namespace/],
    ['--config-net', 'tap up', EPERM, /^cannot set 'eth0' up in the namespace/],
  ] as const) {
    it(`says why not: ${change}`, () => {
      expect(run(line, (other) => (other === change ? errno : 0)).facts).to.throw(UsageError, message);
    });
  }

  it('says that a tap is missing, and that a socket fails', () => {
    const namespace = { interfaceName: 'x', mac: null, configure: false, mtu: 0, ipv4: null, ipv6: null };
    expect(() => configureNamespace(new NetlinkDialogue(new FakeKernel(), 5), namespace)).to.throw(
      UsageError,
      "cannot create interface 'x'",
    );
    const broken = { send: () => -EPERM, receive: () => null, waitReadable: () => 0 };
    expect(() => configureNamespace(new NetlinkDialogue(broken, 5), namespace)).to.throw(UsageError, /operation not permitted/);
  });
});
