/** What is in a router advertisement. When one is sent: advertiser.test.ts. */
import { expect } from 'chai';
import fc from 'fast-check';
import {
  ALL_ROUTERS,
  type Advertisement,
  LINK_LOCAL,
  ROUTER,
  type RouterChanges,
  RouterLink,
  solicitation,
} from '../../support/advertisements.ts';
import { ENDS6 } from '../../support/workbench.ts';
import { ascii, hex } from '../../support/dhcp_client.ts';
import { ip6, word } from '../../support/dhcpv6_client.ts';

const MAC = hex(ENDS6.ourMac);
const EXAMPLE = [7, ...ascii('example'), 3, ...ascii('org'), 0];

function optionsOf({ options }: Advertisement): Record<number, string> {
  return Object.fromEntries(options);
}

describe('worker/local/router', () => {
  it('tells all that there is, byte for byte', () => {
    const link = new RouterLink({
      dhcpv6: true,
      address: '2001:db8:0:5:6:7:8:9',
      mtu: 65_520,
      servers: ['192.0.2.53', '2001:db8::53', '2001:db8::54'],
      search: ['example.org'],
      routes: ['2001:db8:7::/48', '2001:db8:8:1:2::/80', '::/0'],
    });
    expect(link.solicit()).to.deep.equal({
      mac: hex(ENDS6.guestMac),
      from: ROUTER,
      to: LINK_LOCAL,
      type: 134,
      length: 40 + 16 + 8 + 32 + 8 + 40 + 24 + 16 + 24 + 8,
      fields: '0080ffff0000000000000000',
      options: [
        [1, `0101${MAC}`],
        [3, `030440c0ffffffffffffffff00000000${hex(ip6('2001:db8:0:5::'))}`],
        [5, '050100000000fff0'],
        [25, `1905000000000708${hex([...ip6('2001:db8::53'), ...ip6('2001:db8::54')])}`],
        [31, `1f03000000000708${hex(EXAMPLE)}000000`],
        [24, `18023000ffffffff${hex(ip6('2001:db8:7::').slice(0, 8))}`],
        [24, `18035000ffffffff${hex(ip6('2001:db8:8:1:2::'))}`],
        [24, '18010000ffffffff'],
      ],
    });
  });

  it('tells nothing that there is not', () => {
    const { fields, options } = new RouterLink({ address: null, isDefault: false, mtu: 1279 }).solicit();
    expect(fields).to.equal('000000000000000000000000');
    expect(options).to.deep.equal([[1, `0101${MAC}`]]);
  });

  it('clears what is behind a prefix', () => {
    const { options } = new RouterLink({ address: null, routes: ['ffff:ffff:ffff:ffff::/33', 'ffff:ffff:ffff:ffff:ffff::/65'] }).solicit();
    expect(options.slice(1).map(([, bytes]) => bytes.slice(16))).to.deep.equal(['ffffffff80000000', 'ffffffffffffffff8000000000000000']);
  });

  it('deprecates the prefix that is true no more, towards everybody, for two hours that run down', () => {
    const link = new RouterLink();
    const prefix = (valid: number, preferred: number, address: string): string =>
      `030440c0${hex([...word(valid), ...word(preferred)])}00000000${hex(ip6(address))}`;
    const told = (advertisement: Advertisement | undefined): string[] =>
      (advertisement?.options ?? []).flatMap(([code, bytes]) => (code === 3 ? [bytes] : []));
    const current = prefix(-1, -1, '2001:db8:0:9::');
    expect(told(link.change({ address: '2001:db8:0:9::2' })[0])).to.deep.equal([current, prefix(7200, 0, '2001:db8::')]);
    expect(told(link.solicit()), 'who asks has none of it yet').to.deep.equal([current]);
    link.bench.advance(7_100_000);
    link.begin();
    expect(told(link.sent().at(-1))).to.deep.equal([current, prefix(100, 0, '2001:db8::')]);
    link.bench.advance(100_000);
    link.begin();
    expect(told(link.sent().at(-1))).to.deep.equal([current]);
  });

  it('tells of former prefixes once each, of the latest four, and of none that is back', () => {
    const link = new RouterLink({ address: '2001:db8:0:1::2' });
    const told = (changes: RouterChanges): string[] =>
      (link.change(changes)[0]?.options ?? []).flatMap(([code, bytes]) => (code === 3 ? [bytes.slice(32 + 14, 48)] : []));
    expect(told({ address: '2001:db8:0:1::3' }), 'another address of the prefix').to.deep.equal(['01']);
    expect(told({ address: '2001:db8:0:2::2' })).to.deep.equal(['02', '01']);
    expect(told({ address: null })).to.deep.equal(['01', '02']);
    expect(told({ address: '2001:db8:0:1::3' })).to.deep.equal(['01', '02']);
    for (const network of [4, 5, 6]) told({ address: `2001:db8:0:${network}::2` });
    expect(told({ address: '2001:db8:0:7::2' })).to.deep.equal(['07', '01', '04', '05', '06']);
    expect(told({ address: 'fe80::9' })).to.deep.equal(['04', '05', '06', '07']);
    expect(told({ address: '2001:db8:0:8::2' }), 'a link-local one was never told').to.deep.equal(['08', '05', '06', '07']);
  });

  it('ends routes that are there no more', () => {
    const link = new RouterLink({ routes: ['2001:db8:7::/48', '2001:db8:8::/48', '2001:db8:7::/49'] });
    const told = (changes: RouterChanges): string[] =>
      (link.change(changes)[0]?.options ?? []).flatMap(([code, bytes]) =>
        code === 24 ? [`${bytes.slice(4, 16)} ${bytes.slice(24, 28)}`] : [],
      );
    expect(told({ routes: ['2001:db8:8::/48'] })).to.deep.equal(['3000ffffffff 0008', '300000000000 0007', '310000000000 0007']);
    expect(told({ routes: ['2001:db8:7::/48'] })).to.deep.equal(['3000ffffffff 0007', '310000000000 0007', '300000000000 0008']);
  });

  it('says farewell as the router that it was, three times, with all of that router’s routes', () => {
    const link = new RouterLink({ routes: ['2001:db8:7::/48'], search: ['example.org'] });
    const farewell = ({ from, to, fields, options }: Advertisement): unknown => [from, to, fields, options.slice(1)];
    const changes = { router: 'fe80::2', routes: ['2001:db8:8::/48'], search: ['example.org'] };
    const [now, then, ...others] = link.change(changes);
    expect([now?.from, now?.fields.slice(4, 8), others]).to.deep.equal(['fe80::2', 'ffff', []]);
    expect(farewell(then as Advertisement)).to.deep.equal([
      ROUTER,
      'ff02::1',
      '000000000000000000000000',
      [
        [24, `1802300000000000${hex(ip6('2001:db8:8::').slice(0, 8))}`],
        [24, `1802300000000000${hex(ip6('2001:db8:7::').slice(0, 8))}`],
      ],
    ]);
    for (let count = 1; count < 3; count++) {
      link.bench.advance(16_000);
      expect(link.sent().map(({ from }) => from)).to.deep.equal(['fe80::2', ROUTER]);
    }
    link.bench.advance(600_000);
    expect(link.sent().map(({ from }) => from)).to.not.include(ROUTER);
    expect(link.change({ router: 'fe80::3' }).map(({ from }) => from)).to.deep.equal(['fe80::3', 'fe80::2']);
    expect(link.change({ router: 'fe80::2' }).map(({ from }) => from)).to.deep.equal(['fe80::2', 'fe80::3']);
  });

  it('withdraws servers and names that are true no more', () => {
    const link = new RouterLink({ servers: ['2001:db8::53', '2001:db8::54'], search: ['example.org', 'example.net'] });
    link.solicit();
    expect(link.set({ servers: ['2001:db8::55', '2001:db8::54'], search: ['example.net'] })).to.equal(true);
    const told = link.solicit().options.slice(2);
    const net = hex([7, ...ascii('example'), 3, ...ascii('net'), 0]);
    expect(told).to.deep.equal([
      [25, `1905000000000708${hex([...ip6('2001:db8::55'), ...ip6('2001:db8::54')])}`],
      [31, `1f03000000000708${net}000000`],
      [25, `1903000000000000${hex(ip6('2001:db8::53'))}`],
      [31, `1f03000000000000${hex(EXAMPLE)}000000`],
    ]);
    link.set({ servers: ['2001:db8::53'], search: ['example.org'] });
    expect(
      link
        .solicit()
        .options.slice(2)
        .map(([, bytes]) => bytes.slice(8)),
    ).to.deep.equal([
      `00000708${hex(ip6('2001:db8::53'))}`,
      `00000708${hex(EXAMPLE)}000000`,
      `00000000${hex([...ip6('2001:db8::55'), ...ip6('2001:db8::54')])}`,
      `00000000${net}000000`,
    ]);
  });

  it('says whether there is news in names', () => {
    const link = new RouterLink({ servers: ['2001:db8::53'], search: ['example.org'] });
    expect(link.set({ servers: ['192.0.2.1', '2001:db8::53'], search: ['example.org'] })).to.equal(false);
    expect(link.set({ servers: ['2001:db8::53'] })).to.equal(true);
    expect(link.set({ servers: [] })).to.equal(true);
    expect(link.set({ servers: [] })).to.equal(false);
  });

  it('fits into one packet, whatever there is to tell, and whatever the MTU is', () => {
    const domain = fc
      .tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 60 }))
      .map(([a, b]) => `${'x'.repeat(a)}.${'y'.repeat(b)}.z`);
    const server = fc.integer({ min: 1, max: 9 }).map((last) => `2001:db8::${last}`);
    const route = fc.integer({ min: 0, max: 128 }).map((length) => `2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/${length}`);
    const facts = fc.record({
      mtu: fc.nat(65_535),
      servers: fc.array(server, { maxLength: 4 }),
      search: fc.array(domain, { maxLength: 6 }),
      routes: fc.array(route, { maxLength: 30 }),
      address: fc.integer({ min: 1, max: 9 }).map((network) => `2001:db8:0:${network}::2`),
      router: fc.constantFrom('fe80::1', 'fe80::2', 'fe80::3'),
    });
    fc.assert(
      fc.property(facts, fc.array(facts, { maxLength: 4 }), fc.constantFrom(68, 576, 1280, 1500, 65_520), (first, later, mtu) => {
        const link = new RouterLink(first, { mtu });
        const told = later.flatMap((facts) => link.change(facts));
        for (const { length } of [...told, link.solicit()]) expect(length).to.be.at.most(Math.min(mtu, 1500));
      }),
      { numRuns: 60 },
    );
  });

  it('whatever a solicitation has in it: no answer, or one that is whole', () => {
    const link = new RouterLink({ servers: ['2001:db8::53'], search: ['example.org'], mtu: 1500 });
    const option = fc
      .tuple(fc.constantFrom(1, 2, 14, 200), fc.nat(3), fc.uint8Array({ maxLength: 24 }))
      .map(([type, length, rest]) => [type, length, ...rest]);
    const address = fc.constantFrom(LINK_LOCAL, ROUTER, '::', '2001:db8::2', '2001:db8::99', 'ff02::1:ff00:1');
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 64 }).map((bytes) => [...bytes]),
      fc.tuple(address, fc.array(option, { maxLength: 3 })).map(([target, options]) => [0, 0, 0, 0, ...ip6(target), ...options.flat()]),
      fc.array(option, { maxLength: 3 }).map((options) => [0, 0, 0, 0, ...options.flat()]),
    );
    let answers = 0;
    fc.assert(
      fc.property(fc.constantFrom(133, 134, 135, 136, 137), body, address, address, (type, bytes, from, to) => {
        link.bench.advance(100);
        link.sent();
        answers += link.deliver(solicitation(from, to, { type, body: bytes })).length;
      }),
      { numRuns: 3000 },
    );
    expect(answers).to.be.within(10, 2000);
  });

  it('keeps what matters most where there is no room', () => {
    const search = Array.from({ length: 6 }, (_, index) => `${'x'.repeat(60)}.${'y'.repeat(60)}.${'z'.repeat(60)}.${index}.example`);
    const routes = Array.from({ length: 20 }, (_, index) => `2001:db8:${index}:1:2::/80`);
    const told = optionsOf(new RouterLink({ search, routes, servers: ['2001:db8::53'] }, { mtu: 1280 }).solicit());
    expect(Object.keys(told).map(Number)).to.include.members([1, 3, 25, 31]);
    expect(new RouterLink({ routes }).solicit().options.filter(([type]) => type === 24)).to.have.length(17);
  });

  it('is silent when there are no advertisements', () => {
    const link = new RouterLink({ ra: false });
    for (const from of [LINK_LOCAL, '::']) expect(link.deliver(solicitation(from, ALL_ROUTERS)), from).to.deep.equal([]);
    const other = new RouterLink({}, { protocols: { ndp: false } });
    expect(other.deliver(solicitation(LINK_LOCAL, ALL_ROUTERS))).to.deep.equal([]);
  });
});
