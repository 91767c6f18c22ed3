import { expect } from 'chai';
import { formatAddress, formatMac } from '../../shared/addresses.ts';
import { parseArguments } from '../../supervisor/args.ts';
import { bannerLines } from '../../supervisor/config/banner.ts';
import { type NameService, succeedNameService } from '../../supervisor/config/name-service.ts';
import { isGatewayOnPrefix, makePlan, type Plan } from '../../supervisor/config/plan.ts';
import { NetlinkDialogue } from '../../supervisor/host/netlink.ts';
import { parseResolvers } from '../../supervisor/host/resolvers.ts';
import { noTemplate, probeTemplate } from '../../supervisor/host/template.ts';
import { UsageError } from '../../supervisor/usage-error.ts';
import { tableOf, withoutDefaults } from '../support/forwarding_words.ts';
import { FakeKernel, type FakeTables } from '../support/fake_rtnetlink.ts';

const UPLINK: FakeTables = {
  links: [{ index: 2, name: 'eth0', mtu: 1500 }],
  addresses: [
    { index: 2, address: '192.0.2.2', length: 24 },
    { index: 2, address: '192.0.2.3', length: 24 },
    { index: 2, address: '2001:db8::2', length: 64 },
    { index: 2, address: 'fe80::2', length: 64, scope: 253 },
  ],
  routes: [
    { hops: [{ index: 2, gateway: '192.0.2.1' }] },
    { to: '192.0.2.0', length: 24, hops: [{ index: 2 }] },
    { family: 6, hops: [{ index: 2, gateway: 'fe80::1' }] },
    { to: '2001:db8::', length: 64, hops: [{ index: 2 }] },
  ],
};
const ONLY4: FakeTables = { ...UPLINK, routes: UPLINK.routes.slice(0, 2) };
const NOTHING: FakeTables = { links: [], addresses: [], routes: [] };
const ROUTABLE6: FakeTables = {
  ...UPLINK,
  routes: [...UPLINK.routes.slice(0, 2), { family: 6, hops: [{ index: 2, gateway: '2001:db8::1' }] }],
};
const NO_GATEWAY: FakeTables = { ...UPLINK, routes: [{ hops: [{ index: 2 }] }] };

const FACTS = {
  hostname: 'host',
  resolvers: parseResolvers(''),
  udpTimeouts: { unanswered: 33_000, answered: 133_000 },
  ephemeralPorts: { first: 32_768, last: 60_999 },
  handedSockets: [],
};

function plan(line: string, tables: FakeTables = UPLINK, resolvConf = ''): Plan {
  const words = line.split(' ').filter((word) => word !== '');
  const invocation = parseArguments('pasta', withoutDefaults(words));
  if (invocation.kind !== 'run') throw new Error('no run');
  const template = probeTemplate(new NetlinkDialogue(new FakeKernel(tables), 5), invocation.options);
  return makePlan(invocation.options, template, { ...FACTS, resolvers: parseResolvers(resolvConf) });
}

/** Fields of the worker as text; empty = not set. */
function worker(line: string, tables?: FakeTables): Record<string, string> {
  const fields = Object.entries(plan(line, tables).worker);
  return Object.fromEntries(
    fields.map(([name, value]) => {
      if (!(value instanceof Uint8Array)) return [name, String(value)];
      return [name, value.length === 0 ? '' : value.length === 6 ? formatMac(value) : formatAddress(value)];
    }),
  );
}

describe('supervisor/config/plan: what the worker is told', () => {
  it("mirrors the host: its addresses, its gateways mapped to the host's loopback", () => {
    expect(worker('')).to.eql({
      ipv4: 'true',
      ipv6: 'true',
      tcp: 'true',
      udp: 'true',
      icmp: 'true',
      ndp: 'true',
      tcpHandshakeTimeout: '19000',
      tcpIdleTimeout: '7200000',
      tcpHalfClosedTimeout: '7200000',
      tcpKeepalive: '0',
      udpTimeout: '33000',
      udpStreamTimeout: '133000',
      mtu: '65520',
      ourMac: '9a:55:9a:55:9a:55',
      guestAddress4: '192.0.2.2',
      guestAddress6: '2001:db8::2',
      gateway4: '192.0.2.1',
      gateway6: 'fe80::1',
      ourLinkLocal: 'fe80::1',
      mapHostLoopback4: '192.0.2.1',
      mapHostLoopback6: 'fe80::1',
      mapGuestAddress4: '',
      mapGuestAddress6: '',
      templateInterface: '2',
      splices: 'true',
      taps: 'true',
      guestLoopback: 'false',
      logLevel: '1',
      dhcp: 'true',
      prefixLength4: '24',
      advertisedMtu: '65520',
      hostname: '',
      fqdn: '',
      renewal4: '300',
      renewal6: '300',
      ra: 'true',
      dhcpv6: 'true',
      defaultRouter6: 'true',
      routes6: '',
      configured: 'false',
    });
  });

  for (const [line, tables, expected] of [
    ['', ROUTABLE6, { gateway6: '2001:db8::1', ourLinkLocal: 'fe80::2', mapHostLoopback6: '2001:db8::1' }],
    [
      '',
      NOTHING,
      {
        ipv4: 'true',
        ipv6: 'true',
        guestAddress4: '169.254.2.1',
        gateway4: '169.254.2.2',
        mapHostLoopback4: '169.254.2.2',
        guestAddress6: '',
        gateway6: 'fe80::1',
        ourLinkLocal: 'fe80::1',
        mapHostLoopback6: 'fe80::1',
        templateInterface: '0',
      },
    ],
    ['', ONLY4, { gateway4: '192.0.2.1', guestAddress6: '', gateway6: 'fe80::1', ourLinkLocal: 'fe80::1', templateInterface: '2' }],
    ['', NO_GATEWAY, { guestAddress4: '192.0.2.2', gateway4: '', mapHostLoopback4: '' }],
    ['--no-map-gw', UPLINK, { gateway4: '192.0.2.1', mapHostLoopback4: '', mapHostLoopback6: '' }],
    ['--map-host-loopback none', UPLINK, { mapHostLoopback4: '', mapHostLoopback6: '' }],
    ['--map-host-loopback 10.0.0.9', UPLINK, { mapHostLoopback4: '10.0.0.9', mapHostLoopback6: 'fe80::1' }],
    ['--no-map-gw --map-host-loopback 10.0.0.9', UPLINK, { mapHostLoopback4: '10.0.0.9', mapHostLoopback6: '' }],
    ['--map-guest-addr 169.254.1.2', UPLINK, { mapGuestAddress4: '169.254.1.2', mapGuestAddress6: '' }],
    [
      '-6 --map-guest-addr 169.254.1.2',
      UPLINK,
      { ipv4: 'false', mapGuestAddress4: '', guestAddress4: '', gateway4: '', mapHostLoopback4: '' },
    ],
    ['-4', UPLINK, { ipv6: 'false', ndp: 'false', guestAddress6: '', gateway6: '', ourLinkLocal: '', mapHostLoopback6: '' }],
    [
      '-g 10.0.0.1 -g 2001:db8::9',
      UPLINK,
      {
        gateway4: '10.0.0.1',
        gateway6: '2001:db8::9',
        ourLinkLocal: 'fe80::2',
        mapHostLoopback4: '10.0.0.1',
        mapHostLoopback6: '2001:db8::9',
      },
    ],
    ['-a 10.0.0.5 -a 2001:db8::5', UPLINK, { guestAddress4: '10.0.0.5', guestAddress6: '2001:db8::5', gateway4: '192.0.2.1' }],
    ['-a 10.0.0.5 -g 10.0.0.1', NOTHING, { guestAddress4: '10.0.0.5', gateway4: '10.0.0.1' }],
    ['-m 0', UPLINK, { mtu: '1500', advertisedMtu: '0' }],
    ['-m 1400', UPLINK, { mtu: '1400', advertisedMtu: '1400' }],
    ['--no-dhcp', UPLINK, { dhcp: 'false' }],
    ['-6', UPLINK, { dhcp: 'false' }],
    ['', NO_GATEWAY, { dhcp: 'false' }],
    ['-g 192.0.2.9', NO_GATEWAY, { dhcp: 'true' }],
    ['', NOTHING, { dhcp: 'true', prefixLength4: '16' }],
    ['-a 10.0.0.5', UPLINK, { prefixLength4: '8' }],
    ['-H guest --fqdn guest.example', UPLINK, { hostname: 'guest', fqdn: 'guest.example' }],
    ['-M 02:00:00:00:00:01', UPLINK, { ourMac: '02:00:00:00:00:01' }],
    ['--no-tcp --no-udp', UPLINK, { tcp: 'false', udp: 'false', icmp: 'true' }],
    ['--no-icmp', UPLINK, { icmp: 'false', ndp: 'false' }],
    ['-d', UPLINK, { logLevel: '3' }],
  ] as const) {
    it(`${line || '(no options)'}: ${JSON.stringify(expected)}`, () => expect(worker(line, tables)).to.include(expected));
  }

  it('is told how loopbacks are joined', () => {
    expect(worker('--no-splice')).to.include({ splices: 'false', taps: 'true', guestLoopback: 'false' });
    expect(worker('--host-lo-to-ns-lo')).to.include({ splices: 'true', taps: 'true', guestLoopback: 'true' });
    expect(worker('--splice-only')).to.include({ splices: 'true', taps: 'false', guestLoopback: 'true', icmp: 'false' });
  });
});

describe('supervisor/config/plan: the namespace', () => {
  const installed = (line: string, tables?: FakeTables, family: 'ipv4' | 'ipv6' = 'ipv4') => {
    const part = plan(line, tables).namespace[family];
    return {
      addresses: part?.addresses.map(({ address, prefixLength }) => `${formatAddress(address)}/${prefixLength}`).join(' '),
      routes: part?.routes?.length ?? `default through ${part?.gateway == null ? '-' : formatAddress(part.gateway)}`,
    };
  };

  for (const [line, tables, family, addresses, routes] of [
    ['--config-net', UPLINK, 'ipv4', '192.0.2.2/24 192.0.2.3/24', 2],
    ['--config-net', UPLINK, 'ipv6', '2001:db8::2/64', 2],
    ['--config-net -a 10.0.0.5/24', UPLINK, 'ipv4', '10.0.0.5/24', 2],
    ['--config-net -a 10.0.0.5', UPLINK, 'ipv4', '10.0.0.5/8', 2],
    ['--config-net -a 2001:db8::5/48', UPLINK, 'ipv6', '2001:db8::5/64', 2],
    ['--config-net -n 28', UPLINK, 'ipv4', '192.0.2.2/28', 2],
    ['--config-net -g 192.0.2.9', UPLINK, 'ipv4', '192.0.2.2/24 192.0.2.3/24', 'default through 192.0.2.9'],
    ['--config-net -g 192.0.2.9', UPLINK, 'ipv6', '2001:db8::2/64', 2],
    ['--config-net', NOTHING, 'ipv4', '169.254.2.1/16', 'default through 169.254.2.2'],
    ['--config-net', NOTHING, 'ipv6', '', 'default through fe80::1'],
    ['--config-net --no-copy-routes', UPLINK, 'ipv6', '2001:db8::2/64', 'default through fe80::1'],
    ['--config-net --no-copy-addrs', UPLINK, 'ipv4', '192.0.2.2/24', 2],
  ] as const) {
    it(`${line} (${family}${tables === NOTHING ? ', no uplink' : ''})`, () =>
      expect(installed(line, tables, family)).to.eql({ addresses, routes }));
  }

  it('names the interface: as asked, like the template, or tap0', () => {
    expect(['-I net7', ''].map((line) => plan(line).namespace.interfaceName)).to.eql(['net7', 'eth0']);
    expect(plan('', NOTHING).namespace.interfaceName).to.equal('tap0');
  });

  it('sets an MTU and a link only when asked to', () => {
    expect(plan('').namespace).to.include({ configure: false, mtu: 0 });
    expect(plan('--config-net').namespace).to.include({ configure: true, mtu: 65520 });
    expect(plan('--config-net -m 0').namespace.mtu).to.equal(0);
  });

  it('knows whether the gateway is on a prefix of the guest', () => {
    const on = (line: string, family: 'ipv4' | 'ipv6' = 'ipv4') => isGatewayOnPrefix(plan(line).namespace[family] as never);
    expect([
      on('-g 192.0.2.9'),
      on('-g 10.0.0.1'),
      on('-a 10.0.0.5 -g 10.9.9.9'),
      on('-g fe80::9', 'ipv6'),
      on('-g 2001:db8::9', 'ipv6'),
    ]).to.eql([true, false, true, false, true]);
  });

  it('names the host', () => {
    expect(['', '-H box', `-H ${'a'.repeat(63)}.${'b'.repeat(63)}`].map((line) => plan(line).hostname)).to.eql([
      'pasta-host',
      'box',
      `${'a'.repeat(63)}.`,
    ]);
  });

  it('is frozen', () => {
    const made = plan('');
    for (const part of [made, made.worker, made.namespace, made.namespace.ipv4, made.nameService]) expect(part).to.be.frozen;
  });
});

describe('supervisor/config/plan: one family', () => {
  for (const [line, tables] of [
    ['-6', ONLY4],
    ['-4', NOTHING],
  ] as const) {
    it(`${line} comes up in local mode where the host has no uplink of that family, as the peer's does`, () => {
      const { namespace } = plan(line, tables);
      const [there, not] = line === '-6' ? [namespace.ipv6, namespace.ipv4] : [namespace.ipv4, namespace.ipv6];
      expect([there?.local, not]).to.deep.equal([true, null]);
    });
  }
});

describe('supervisor/config/plan: contradictions', () => {
  for (const [line, tables, message] of [
    ['-4 -T 80:::1', UPLINK, "--tcp-ns '80:::1': 0.0.0.0 can't lead to ::1: that is another family; give an IPv4 target"],
    ['--ns-mac-addr 9a:55:9a:55:9a:55', UPLINK, '--ns-mac-addr is our own MAC address (--mac-addr); the two must differ'],
  ] as const) {
    it(line, () => expect(() => plan(line, tables)).to.throw(UsageError, message));
  }

  it("warns of the guest's own address being mapped to the host", () => {
    expect(plan('-g 192.0.2.2').warnings.join()).to.match(/^192.0.2.2 is both the guest's address and mapped/);
    expect(plan('--map-guest-addr 2001:db8::2').warnings.join()).to.match(/^2001:db8::2 is both/);
    expect(plan('').warnings).to.eql([]);
  });
});

describe('supervisor/config/plan: names', () => {
  const names = (line: string, resolvConf: string, tables?: FakeTables) => {
    const { servers, search, host4, host6, forward4, forward6, unreachable } = plan(line, tables, resolvConf).nameService;
    const text = (address: Uint8Array | null) => (address === null ? '-' : formatAddress(address));
    const pair = (a: Uint8Array | null, b: Uint8Array | null) => `${text(a)} ${text(b)}`;
    const parts = [
      servers.map(text).join(' '),
      search.join(' '),
      pair(host4, host6),
      pair(forward4, forward6),
      unreachable.map(text).join(' '),
    ];
    return parts.join(' | ');
  };

  for (const [what, line, resolvConf, expected] of [
    [
      'public servers are told as they are',
      '',
      'nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch a b',
      '192.0.2.53 2001:db8::53 | a b | 192.0.2.53 2001:db8::53 | - - | ',
    ],
    ['a loopback server becomes the mapped address', '', 'nameserver 127.0.0.53', '192.0.2.1 |  | 127.0.0.53 - | 192.0.2.1 - | 127.0.0.53'],
    ['so does the gateway', '', 'nameserver 192.0.2.1', '192.0.2.1 |  | 192.0.2.1 - | 192.0.2.1 - | '],
    [
      'two loopback servers are one',
      '',
      'nameserver 127.0.0.53\nnameserver 127.0.0.54',
      '192.0.2.1 |  | 127.0.0.53 - | 192.0.2.1 - | 127.0.0.53 127.0.0.54',
    ],
    ['none is left without a mapping', '--no-map-gw', 'nameserver 127.0.0.53', ' |  | 127.0.0.53 - | - - | 127.0.0.53'],
    ['the gateway is itself without a mapping', '--no-map-gw', 'nameserver 192.0.2.1', '192.0.2.1 |  | 192.0.2.1 - | - - | '],
    ['a family that is off has none', '-4', 'nameserver 2001:db8::53', ' |  | - - | - - | '],
    ['options win', '-D 9.9.9.9 -S x', 'nameserver 192.0.2.53\nsearch a', '9.9.9.9 | x | 192.0.2.53 - | - - | '],
    [
      'an address that is asked for stands for the resolver, and for one on the loopback in the list',
      '--dns-forward 169.254.1.1 --no-map-gw',
      'nameserver 127.0.0.53\nnameserver 192.0.2.53',
      '169.254.1.1 192.0.2.53 |  | 127.0.0.53 - | 169.254.1.1 - | 127.0.0.53',
    ],
    [
      'a server that the guest reaches is told as it is, whatever stands for it',
      '--dns-forward 169.254.1.1 --dns-forward fd00::53',
      'nameserver 192.0.2.53\nnameserver 2001:db8::53',
      '192.0.2.53 2001:db8::53 |  | 192.0.2.53 2001:db8::53 | 169.254.1.1 fd00::53 | ',
    ],
    ['a resolver that is named wins', '--dns-host 127.0.0.1', 'nameserver 192.0.2.53', '192.0.2.53 |  | 127.0.0.1 - | - - | '],
    ['nothing stands for a resolver in a family that is off', '-4 --dns-forward fd00::53 --dns-host ::1', '', ' |  | - - | - - | '],
    [
      'an address asked for after none',
      '-D none --dns-forward 10.9.9.9',
      'nameserver 127.0.0.53',
      ' |  | 127.0.0.53 - | 10.9.9.9 - | 127.0.0.53',
    ],
    ['none is none', '-D none -S none', 'nameserver 127.0.0.53\nsearch a', ' |  | - - | - - | 127.0.0.53'],
  ] as const) {
    it(what, () => expect(names(line, resolvConf)).to.equal(expected));
  }
});

describe('supervisor/config/name-service', () => {
  it('warns of an address behind which there is no resolver, and makes none up', () => {
    const made = plan('--dns-forward 169.254.1.1', UPLINK, 'nameserver 2001:db8::53');
    expect(made.nameService.host4).to.equal(null);
    expect(made.warnings).to.eql([
      'DNS queries to 169.254.1.1 are refused: /etc/resolv.conf names no IPv4 server; give one with --dns-host',
    ]);
    expect(plan('--dns-forward 169.254.1.1 --dns-host 10.0.0.1').warnings).to.eql([]);
  });

  it('an address that stood for the resolver goes on doing so', () => {
    const [before, after] = ['nameserver 127.0.0.53', 'nameserver 198.51.100.53'].map((text) => plan('', UPLINK, text).nameService);
    const { forward4, host4 } = succeedNameService(before as NameService, after as NameService);
    expect([forward4, host4].map((address) => formatAddress(address as Uint8Array))).to.eql(['192.0.2.1', '198.51.100.53']);
  });
});

describe('supervisor/config/banner', () => {
  const mac = Uint8Array.of(2, 0, 0, 0, 0, 7);

  it('tells what was chosen, in order', () => {
    expect(bannerLines(plan('--config-net -m 1400', UPLINK, 'nameserver 127.0.0.53\nsearch example.org'), mac)).to.eql([
      'Template interface: eth0 (IPv4), eth0 (IPv6)',
      'Namespace interface: eth0, MAC 02:00:00:00:00:07, MTU 1400',
      'Our MAC: 9a:55:9a:55:9a:55',
      'Host loopback: reached from the namespace as 192.0.2.1 and fe80::1',
      'IPv4 address: 192.0.2.2/24 (255.255.255.0)',
      'IPv4 gateway: 192.0.2.1',
      'IPv6 address: 2001:db8::2/64',
      'IPv6 gateway: fe80::1',
      'IPv6 router: fe80::1 (our link-local address)',
      'DNS: 192.0.2.1',
      'DNS search list: example.org',
      'DNS queries to 192.0.2.1 go to 127.0.0.53',
      "Note: /etc/resolv.conf names 127.0.0.53, which is the namespace's own loopback to a command that runs there",
    ]);
  });

  it('says when there is no uplink, and nothing of a family that is off', () => {
    expect(bannerLines(plan('', NOTHING), mac)[0]).to.equal('Template interface: none, local mode (IPv4), none, local mode (IPv6)');
    expect(bannerLines(plan('-4 --no-map-gw'), mac).join()).not.to.match(/IPv6|loopback/);
  });

  it('passes on what the template chose among several', () => {
    const routes = [...UPLINK.routes, { hops: [{ index: 3, gateway: '198.51.100.1' }] }];
    expect(bannerLines(plan('', { ...UPLINK, routes }), mac).filter((line) => line.startsWith('Note'))).to.have.length(1);
  });

  it('lists the rules of both sides', () => {
    const lines = bannerLines({ ...plan(''), forwarding: tableOf(['-t', '::1/80:90,auto', '-T', '22']) }, new Uint8Array(6));
    expect(lines.slice(-2)).to.eql([
      'Forwarded to the namespace: TCP [::1]:80 => 90 (auto-scan)',
      'Forwarded to the host: TCP [*]%lo:22 => 22',
    ]);
    expect(bannerLines(plan(''), new Uint8Array(6)).join()).not.to.contain('Forwarded');
  });

  it('of a run without interface tells of that and of the rules alone', () => {
    const invocation = parseArguments('pasta', withoutDefaults(['--splice-only', '-4', '-D', '192.0.2.1', '-t', '80']));
    if (invocation.kind !== 'run') throw new Error('no run');
    const bare = makePlan(invocation.options, noTemplate(invocation.options), FACTS);
    expect(bannerLines(bare, new Uint8Array(6))).to.eql([
      'The namespace has no interface: loopbacks are joined, and nothing else',
      'Forwarded to the namespace: TCP [0.0.0.0]:80 => 80',
    ]);
    expect(bare.nameService).to.include({ forward4: null, host4: null });
    expect([bare.warnings, bare.nameService.servers]).to.eql([[], []]);
  });
});
