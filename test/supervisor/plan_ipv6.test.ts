/** The plan: what the guest is told by router advertisements and DHCPv6. */
import { expect } from 'chai';
import { formatAddress } from '../../shared/addresses.ts';
import { parseArguments } from '../../supervisor/args.ts';
import { makePlan, type WorkerPlan } from '../../supervisor/config/plan.ts';
import { NetlinkDialogue } from '../../supervisor/host/netlink.ts';
import { parseResolvers } from '../../supervisor/host/resolvers.ts';
import { probeTemplate } from '../../supervisor/host/template.ts';
import { FakeKernel, type FakeTables } from '../support/fake_rtnetlink.ts';
import { withoutDefaults } from '../support/forwarding_words.ts';

const UPLINK: FakeTables = {
  links: [{ index: 2, name: 'eth0', mtu: 1500 }],
  addresses: [
    { index: 2, address: '192.0.2.2', length: 24 },
    { index: 2, address: '2001:db8::2', length: 64 },
    { index: 2, address: 'fe80::2', length: 64, scope: 253 },
  ],
  routes: [{ hops: [{ index: 2, gateway: '192.0.2.1' }] }, { family: 6, hops: [{ index: 2, gateway: 'fe80::1' }] }],
};
const NOTHING: FakeTables = { links: [], addresses: [], routes: [] };

function worker(line: string, tables: FakeTables): WorkerPlan {
  const invocation = parseArguments('pasta', withoutDefaults(line.split(' ').filter((word) => word !== '')));
  if (invocation.kind !== 'run') throw new Error('no run');
  const template = probeTemplate(new NetlinkDialogue(new FakeKernel(tables), 5), invocation.options);
  return makePlan(invocation.options, template, {
    hostname: 'host',
    resolvers: parseResolvers(''),
    udpTimeouts: { unanswered: 33_000, answered: 133_000 },
    ephemeralPorts: { first: 32_768, last: 60_999 },
    handedSockets: [],
  }).worker;
}

describe('supervisor/config/plan: what the guest is told of IPv6', () => {
  for (const [line, tables, expected] of [
    ['', UPLINK, { ra: true, dhcpv6: true, defaultRouter6: true }],
    ['--no-ra', UPLINK, { ra: false, dhcpv6: true, ndp: true }],
    ['--no-ndp', UPLINK, { ra: false, dhcpv6: true, ndp: false }],
    ['--no-icmp', UPLINK, { ra: false, dhcpv6: true }],
    ['--no-dhcpv6', UPLINK, { ra: true, dhcpv6: false }],
    ['--config-net', UPLINK, { ra: false, dhcpv6: true }],
    ['-4', UPLINK, { ra: false, dhcpv6: false, defaultRouter6: false }],
    ['', NOTHING, { ra: true, dhcpv6: false, defaultRouter6: true }],
    ['-a 2001:db8::5', NOTHING, { ra: true, dhcpv6: true }],
  ] as const)
    it(`${line || '(no options)'}: ${JSON.stringify(expected)}`, () => expect(worker(line, tables)).to.include(expected));

  for (const [name, routes, isDefault, advertised] of [
    ['a default route with a gateway', [{ family: 6, hops: [{ index: 2, gateway: 'fe80::1' }] }], true, []],
    ['a default route without', [{ family: 6, hops: [{ index: 2 }] }], true, []],
    [
      'what is no default route, but the prefix of the guest and what every link has',
      [
        { to: '2001:db8::', length: 64, hops: [{ index: 2 }] },
        { to: '2001:db8::7', length: 128, hops: [{ index: 2, gateway: 'fe80::1' }] },
        { to: '2001:db8::', length: 32, hops: [{ index: 2, gateway: 'fe80::1' }] },
        { to: '2001:db8:7::', length: 48, hops: [{ index: 2 }] },
        { to: 'fe80::', length: 64, hops: [{ index: 2 }] },
        { to: 'ff00::', length: 8, hops: [{ index: 2 }] },
        { to: '2001:db8:9::', length: 48, hops: [{ index: 3 }] },
      ],
      false,
      ['2001:db8::/32', '2001:db8:7::/48'],
    ],
  ] as [string, FakeTables['routes'], boolean, string[]][]) {
    it(`advertises routes: ${name}`, () => {
      const { defaultRouter6, routes6 } = worker('-i eth0', { ...UPLINK, routes });
      expect(defaultRouter6).to.equal(isDefault);
      expect(routes6.map(({ destination, prefixLength }) => `${formatAddress(destination)}/${prefixLength}`)).to.deep.equal(advertised);
    });
  }
});
