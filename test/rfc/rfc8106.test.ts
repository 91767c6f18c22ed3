/** RFC 8106 (DNS), RFC 4191 (routes) and RFC 4862 (addresses): what router advertisements tell beside the router itself. */
import { expect } from 'chai';
import { LINK_LOCAL, ROUTER, RouterLink, solicitation } from '../support/advertisements.ts';
import { ascii, hex, ip6, word } from '../support/dhcpv6_client.ts';
import { absent, bySection, describeTable, differs, takenOver, type Table } from './table.ts';

const DNS: Table = {
  '§5.1/1': 'servers are told by IPv6 address',
  '§5.1/2': 'for three times the longest interval at least',
  '§5.1/3': 'those that are there no more, for no time',
  '§5.2/1': 'names are encoded as DNS has them, and not compressed',
  '§5.2/2': 'and filled up by zeros to a multiple of 8 bytes',
  '§5.2/3': 'those that are searched no more are told for no time',
  '§5.3': absent('what hosts do with it', 'this is a router'),
};
describeTable(8106, bySection({ '§5.1': 3, '§5.2': 3, '§5.3': 1 }), DNS);

const ROUTES: Table = {
  '§2.1': 'preferences are those of the standard: medium is 0',
  '§2.3/1': 'a route has as many bytes of its prefix as it needs',
  '§2.3/2': 'and no bits behind its length',
  '§2.3/3': 'one that is there no more is told for no time',
  '§3': absent('what hosts do with it', 'this is a router'),
  '§4/1': 'no router advertises more than 17 routes',
  '§4/2': 'one that is no default router says so by a lifetime of 0, and its routes hold all the same',
};
describeTable(4191, bySection({ '§2.1': 1, '§2.3': 3, '§3': 1, '§4': 2 }), ROUTES);

const ADDRESSES: Table = {
  '§5.3': absent('a link-local address is made', 'ours is the host’s, or that of its router'),
  '§5.4/1': differs('an address is used when nobody else has it', 'it has a meaning on the link, so we say whose it is when asked'),
  '§5.4/2': 'who asks for an address of ours before it takes it, is told',
  '§5.4/3': 'and for one that is none of ours, not',
  '§5.4.3': takenOver('a solicitation from no address is answered to everybody', '§7.2.4/2'),
  '§5.5.3/1': 'a prefix for addresses has 64 bits',
  '§5.5.3/2': 'and is not preferred for longer than it is valid',
  '§5.5.3/3': 'a link-local prefix is not advertised',
  '§5.5.3/4': 'no address is left less than two hours by an advertisement, so that is what a former prefix gets',
  '§5.5.4': 'addresses that nothing new shall use are deprecated: preferred for no time',
};
describeTable(4862, bySection({ '§5.3': 1, '§5.4': 3, '§5.4.3': 1, '§5.5.3': 4, '§5.5.4': 1 }), ADDRESSES);

const optionsOf = (link: RouterLink, type: number): string[] =>
  link.solicit().options.flatMap(([code, bytes]) => (code === type ? [bytes] : []));
const encoded = (name: string): number[] => [...name.split('.').flatMap((label) => [label.length, ...ascii(label)]), 0];

describe('RFC 8106', () => {
  it('RFC 8106 §5.1/1, §5.1/2, §5.1/3: servers', () => {
    const link = new RouterLink({ servers: ['192.0.2.53', '2001:db8::53', 'fe80::1'] });
    expect(optionsOf(link, 25)).to.deep.equal([`1905000000000708${hex([...ip6('2001:db8::53'), ...ip6('fe80::1')])}`]);
    link.set({ servers: ['fe80::1'] });
    expect(optionsOf(link, 25)).to.deep.equal([`1903000000000708${hex(ip6('fe80::1'))}`, `1903000000000000${hex(ip6('2001:db8::53'))}`]);
    expect(optionsOf(new RouterLink({ servers: ['192.0.2.53'] }), 25), 'IPv4 alone').to.deep.equal([]);
  });

  it('RFC 8106 §5.2/1, §5.2/2: names, of each length', () => {
    for (let length = 1; length <= 16; length++) {
      const names = ['a.example', `${'x'.repeat(length)}.example`];
      const bytes = names.flatMap(encoded);
      while (bytes.length % 8 !== 0) bytes.push(0);
      const [option, ...others] = optionsOf(new RouterLink({ search: names }), 31);
      expect([option, others]).to.deep.equal([hex([31, 1 + bytes.length / 8, 0, 0, 0, 0, 7, 8, ...bytes]), []]);
    }
  });

  it('RFC 8106 §5.2/3: names that are searched no more', () => {
    const link = new RouterLink({ search: ['one.example', 'two.example'] });
    link.set({ search: ['two.example'] });
    expect(optionsOf(link, 31).map((bytes) => [bytes.slice(8, 16), bytes.slice(16, 40)])).to.deep.equal(
      [
        ['00000708', 'two.example'],
        ['00000000', 'one.example'],
      ].map(([lifetime, name]) => [lifetime, hex(encoded(name as string)).slice(0, 24)]),
    );
  });
});

describe('RFC 4191', () => {
  it('RFC 4191 §2.1, §2.3/1, §2.3/2: routes of each length', () => {
    for (const [route, expected] of [
      ['::/0', '18010000ffffffff'],
      ['ffff::/1', `18020100ffffffff8000000000000000`],
      ['ffff:ffff:ffff:ffff::/64', `18024000ffffffff${'f'.repeat(16)}`],
      ['ffff:ffff:ffff:ffff:ffff::/65', `18034100ffffffff${'f'.repeat(16)}8000000000000000`],
      ['2001:db8::1/128', `18038000ffffffff${hex(ip6('2001:db8::1'))}`],
    ] as const)
      expect(optionsOf(new RouterLink({ routes: [route] }), 24), route).to.deep.equal([expected]);
  });

  it('RFC 4191 §4/1, §4/2: many routes of a router that is no default one', () => {
    const link = new RouterLink({ isDefault: false, routes: Array.from({ length: 30 }, (_, index) => `2001:db8:${index + 1}::/48`) });
    const { fields, options } = link.solicit();
    expect(fields.slice(4, 8)).to.equal('0000');
    expect(options.filter(([type]) => type === 24)).to.have.length(17);
    link.set({ routes: ['2001:db8:99::/48'] });
    expect(optionsOf(link, 24), 'with those that have ended').to.have.length(17);
  });

  it('RFC 4191 §2.3/3: a route that is there no more', () => {
    const link = new RouterLink({ routes: ['2001:db8:7::/48'] });
    link.set({});
    expect(optionsOf(link, 24)).to.deep.equal([`1802300000000000${hex(ip6('2001:db8:7::').slice(0, 8))}`]);
  });
});

describe('RFC 4862', () => {
  const claim = (target: string): number => {
    const full = hex(ip6(target));
    const to = `ff02::1:ff${full.slice(26, 28)}:${full.slice(28)}`;
    return new RouterLink().deliver(solicitation('::', to, { type: 135, body: [0, 0, 0, 0, ...ip6(target)] })).length;
  };

  it('RFC 4862 §5.4/1, §5.4/2: an address of ours', () => expect(claim(ROUTER)).to.equal(1));

  it('RFC 4862 §5.4/3: those that the guest was given, or makes', () => {
    for (const address of ['2001:db8::2', LINK_LOCAL, '2001:db8::ff:fe00:7']) expect(claim(address), address).to.equal(0);
  });

  it('RFC 4862 §5.5.3/1, §5.5.3/2, §5.5.3/3: the prefix', () => {
    const [option] = optionsOf(new RouterLink(), 3);
    expect([option?.slice(4, 6), option?.slice(8, 16), option?.slice(16, 24)]).to.deep.equal(['40', 'ffffffff', 'ffffffff']);
    expect(optionsOf(new RouterLink({ address: null }), 3)).to.deep.equal([]);
    expect(optionsOf(new RouterLink({ address: 'fe80::5' }), 3)).to.deep.equal([]);
  });

  it('RFC 4862 §5.5.3/4, §5.5.4: a prefix of before', () => {
    const [advertisement] = new RouterLink().change({ address: null });
    const prefixes = advertisement?.options.flatMap(([type, bytes]) => (type === 3 ? [bytes] : []));
    expect(prefixes).to.deep.equal([`030440c0${hex([...word(7200), ...word(0)])}00000000${hex(ip6('2001:db8::'))}`]);
  });
});
