import { expect } from 'chai';
import { formatAddress } from '../../shared/addresses.ts';
import { NetlinkDialogue } from '../../supervisor/host/netlink.ts';
import {
  type FamilyTemplate,
  probeTemplate,
  succeedTemplate,
  type Template,
  type TemplateOptions,
} from '../../supervisor/host/template.ts';
import { UsageError } from '../../supervisor/usage-error.ts';
import { bytesOf, FakeKernel, type FakeTables } from '../support/fake_rtnetlink.ts';

const LINKS = [
  { index: 1, name: 'lo' },
  { index: 2, name: 'eth0', mtu: 1400 },
  { index: 3, name: 'wlan0' },
];
const ADDRESSES = [
  { index: 1, address: '127.0.0.1', length: 8, scope: 254 },
  { index: 1, address: '::1', length: 128, scope: 254 },
  { index: 2, address: '192.0.2.2', length: 24 },
  { index: 3, address: '198.51.100.2', length: 24 },
  { index: 2, address: '2001:db8::2', length: 64 },
  { index: 2, address: 'fe80::2', length: 64, scope: 253 },
  { index: 3, address: '2001:db8:3::2', length: 64 },
  { index: 3, address: 'fe80::3', length: 64, scope: 253 },
];
const DEFAULT4 = { hops: [{ index: 2, gateway: '192.0.2.1' }] };
const NET4 = { to: '192.0.2.0', length: 24, hops: [{ index: 2 }], prefsrc: '192.0.2.2' };
const DEFAULT6 = { family: 6 as const, hops: [{ index: 2, gateway: 'fe80::1' }] };
const NET6 = { to: '2001:db8::', length: 64, hops: [{ index: 2 }] };

function probe(tables: Partial<FakeTables> = {}, options: Partial<TemplateOptions> = {}, held: Template | null = null): Template {
  const kernel = new FakeKernel({ links: LINKS, addresses: ADDRESSES, routes: [DEFAULT4, NET4, DEFAULT6, NET6], ...tables });
  return probeTemplate(
    new NetlinkDialogue(kernel, 5),
    {
      ipv4: true,
      ipv6: true,
      templateInterface: null,
      outboundInterface4: null,
      outboundInterface6: null,
      address4: null,
      address6: null,
      ...options,
    },
    held,
  );
}

/** `eth0 192.0.2.2/24 via 192.0.2.1 ll fe80::2`. */
function shown(family: FamilyTemplate | null): string {
  if (family === null) return 'off';
  if (family.link === null) return 'local';
  const text = (address: Uint8Array | null | undefined) => (address == null ? '-' : formatAddress(address));
  const address = `${text(family.address?.address)}/${family.address?.prefixLength ?? '-'}`;
  return `${family.link.name} ${address} via ${text(family.gateway)} ll ${text(family.linkLocal)}`;
}

describe('supervisor/host/template: which interface', () => {
  it('is that of the default route, per family', () => {
    const template = probe();
    expect(shown(template.ipv4)).to.equal('eth0 192.0.2.2/24 via 192.0.2.1 ll -');
    expect(shown(template.ipv6)).to.equal('eth0 2001:db8::2/64 via fe80::1 ll fe80::2');
    expect(template.ipv4?.link?.mtu).to.equal(1400);
    expect(template.notes).to.eql([]);
  });

  it('may differ between the families', () => {
    const routes = [DEFAULT4, { family: 6 as const, hops: [{ index: 3, gateway: 'fe80::9' }] }];
    const template = probe({ routes });
    expect([template.ipv4?.link?.name, template.ipv6?.link?.name]).to.eql(['eth0', 'wlan0']);
  });

  it('is the first of several default routes, and says so', () => {
    const template = probe({ routes: [{ hops: [{ index: 3, gateway: '198.51.100.1' }] }, DEFAULT4, NET4] });
    expect(template.ipv4?.link?.name).to.equal('wlan0');
    expect(template.notes.join()).to.match(/IPv4 default route.*--interface/);
  });

  it('is that of any route when none is a default route, but for loopback and link-local prefixes', () => {
    const lo = { to: '10.9.0.0', length: 16, hops: [{ index: 1 }] };
    const linkLocal = { to: '169.254.0.0', length: 16, hops: [{ index: 3 }] };
    const template = probe({ routes: [lo, linkLocal, NET4, { to: 'fe80::', length: 64, hops: [{ index: 2 }] }] });
    expect(shown(template.ipv4)).to.equal('eth0 192.0.2.2/24 via - ll -');
    expect(shown(template.ipv6)).to.equal('local');
  });

  it('is not found in other tables, in routes that lead nowhere and in cached routes', () => {
    const routes = [
      { ...DEFAULT4, table: 1000 },
      { ...DEFAULT4, table: 255 },
      { hops: [], type: 7 },
      { ...DEFAULT4, type: 7 },
      { ...DEFAULT4, flags: 0x200 },
    ];
    expect(shown(probe({ routes }).ipv4)).to.equal('local');
  });

  it('is the named one for both families', () => {
    const template = probe({}, { templateInterface: 'wlan0' });
    expect(shown(template.ipv4)).to.equal('wlan0 198.51.100.2/24 via - ll -');
    expect(shown(template.ipv6)).to.equal('wlan0 2001:db8:3::2/64 via - ll fe80::3');
  });

  it('must exist and be usable when named', () => {
    expect(() => probe({}, { templateInterface: 'eth9' })).to.throw(UsageError, "--interface 'eth9': there is no such interface");
    expect(() => probe({}, { outboundInterface6: 'eth9' })).to.throw(UsageError, "--outbound-if6 'eth9': there is no such interface");
    expect(() => probe({}, { outboundInterface4: 'lo' })).to.throw(UsageError, "--outbound-if4 'lo': has no usable address");
    expect(() => probe({}, { templateInterface: 'lo' })).to.throw(UsageError, "--interface 'lo': has no usable address");
  });
});

describe('supervisor/host/template: multipath', () => {
  const hops = (...weights: number[]) => weights.map((weight, at) => ({ index: 2, gateway: `192.0.2.${at + 1}`, weight }));

  it('takes the interface of the first hop', () => {
    const routes = [
      {
        hops: [
          { index: 3, gateway: '198.51.100.1' },
          { index: 2, gateway: '192.0.2.1', weight: 9 },
        ],
      },
    ];
    expect(shown(probe({ routes }).ipv4)).to.equal('wlan0 198.51.100.2/24 via 198.51.100.1 ll -');
  });

  for (const [weights, expected] of [
    [[1, 5, 3], '192.0.2.2'],
    [[5, 1], '192.0.2.1'],
    [[4, 4, 4], '192.0.2.3'],
  ] as const) {
    it(`weights ${weights.join(' ')}: gateway ${expected}`, () => {
      expect(formatAddress(probe({ routes: [{ hops: hops(...weights) }] }).ipv4?.gateway as Uint8Array)).to.equal(expected);
    });
  }

  it('copies a route only if all its hops leave by the template', () => {
    const both = {
      to: '10.0.0.0',
      length: 8,
      hops: [
        { index: 2, gateway: '192.0.2.1' },
        { index: 3, gateway: '198.51.100.1' },
      ],
    };
    const mine = { to: '10.1.0.0', length: 16, hops: hops(1, 1) };
    const routes = probe({ routes: [DEFAULT4, NET4, both, mine, { to: '10.2.0.0', length: 16, hops: [{ index: 3 }] }] }).ipv4?.routes ?? [];
    expect(routes.map((route) => (route.destination === null ? 'default' : formatAddress(route.destination)))).to.eql([
      'default',
      '192.0.2.0',
      '10.1.0.0',
    ]);
  });
});

describe('supervisor/host/template: which addresses', () => {
  const four = (...more: FakeTables['addresses']) => probe({ addresses: more }).ipv4;
  const six = (...more: FakeTables['addresses']) => probe({ addresses: more }).ipv6;
  const linkLocal = { index: 2, address: 'fe80::2', length: 64, scope: 253 };

  it('IPv4: the longest prefix, the first of equals', () => {
    expect(
      shown(
        four(
          { index: 2, address: '10.0.0.1', length: 8 },
          { index: 2, address: '10.0.0.2', length: 28 },
          { index: 2, address: '10.0.0.3', length: 28 },
        ),
      ),
    ).to.contain('10.0.0.2/28');
  });

  it('IPv4: not a deprecated one, nor one of another interface', () => {
    expect(
      shown(four({ index: 2, address: '10.0.0.1', length: 32, flags: 0x20 }, { index: 2, address: '10.0.0.2', length: 8 })),
    ).to.contain('10.0.0.2/8');
    expect(shown(four({ index: 3, address: '10.0.0.2', length: 8 }))).to.equal('local');
  });

  it('IPv6: global scope and a link-local one, or local mode', () => {
    expect(shown(six(linkLocal, { index: 2, address: '2001:db8::5', length: 64 })))
      .to.contain('2001:db8::5/64')
      .and.to.contain('ll fe80::2');
    expect(shown(six(linkLocal))).to.equal('local');
    expect(shown(six({ index: 2, address: '2001:db8::5', length: 64 }))).to.equal('local');
    expect(shown(six(linkLocal, { index: 2, address: '2001:db8::5', length: 64, flags: 0x08 }))).to.equal('local');
  });

  it('an assigned address stands in for a missing one', () => {
    expect(shown(probe({ addresses: [linkLocal] }, { address4: bytesOf('10.0.0.9'), address6: bytesOf('2001:db8::9') }).ipv4)).to.contain(
      'eth0 -/-',
    );
    expect(shown(probe({ addresses: [linkLocal] }, { address6: bytesOf('2001:db8::9') }).ipv6)).to.contain(
      'eth0 -/- via fe80::1 ll fe80::2',
    );
  });

  it('copies all but those of link scope and deprecated ones', () => {
    const addresses = [
      linkLocal,
      { index: 2, address: '2001:db8::5', length: 64 },
      { index: 2, address: '2001:db8::6', length: 128 },
      { index: 2, address: '2001:db8::7', length: 64, flags: 0x20 },
      { index: 3, address: '2001:db8::8', length: 64 },
    ];
    expect(six(...addresses)?.addresses.map(({ address }) => formatAddress(address))).to.eql(['2001:db8::5', '2001:db8::6']);
  });
});

describe('supervisor/host/template: no uplink', () => {
  it('is local mode for both families', () => {
    const template = probe({ links: [], addresses: [], routes: [] });
    expect([shown(template.ipv4), shown(template.ipv6)]).to.eql(['local', 'local']);
  });

  it('is local mode for one family alone', () => {
    const template = probe({ routes: [DEFAULT4, NET4] });
    expect([shown(template.ipv4), shown(template.ipv6)]).to.eql(['eth0 192.0.2.2/24 via 192.0.2.1 ll -', 'local']);
  });

  it('leaves out a family that is switched off', () => {
    expect(shown(probe({}, { ipv6: false }).ipv6)).to.equal('off');
    expect(shown(probe({}, { ipv4: false }).ipv4)).to.equal('off');
  });
});

describe('supervisor/host/template: what was held before', () => {
  const two = {
    addresses: [...ADDRESSES, { index: 2, address: '192.0.2.200', length: 32 }, { index: 2, address: '2001:db8::99', length: 128 }],
  };

  it('is held as long as the host has it', () => {
    const held = probe();
    expect(shown(probe(two).ipv4)).to.match(/^eth0 192\.0\.2\.200\/32 /);
    const again = probe(two, {}, held);
    expect([shown(again.ipv4), shown(again.ipv6)]).to.eql([shown(held.ipv4), shown(held.ipv6)]);
    expect(shown(probe(two, {}, probe({ routes: [] })).ipv4)).to.match(/^eth0 192\.0\.2\.200\/32 /);
  });

  it('is not held when it is deprecated, or on another interface', () => {
    const held = probe();
    const deprecated = two.addresses.map((one) => (one.address === '2001:db8::2' ? { ...one, flags: 0xa0 } : one));
    expect(shown(probe({ addresses: deprecated }, {}, held).ipv6)).to.match(/^eth0 2001:db8::99\/128 /);
    expect(shown(probe({ routes: [{ hops: [{ index: 3 }] }] }, {}, held).ipv4)).to.match(/^wlan0 198\.51\.100\.2\/24 /);
  });

  it('stays for a family that has lost its uplink', () => {
    const held = probe();
    const kept = succeedTemplate(held, probe({ routes: [DEFAULT4] }));
    expect([kept.ipv4, shown(kept.ipv6)]).to.eql([probe({ routes: [DEFAULT4] }).ipv4, shown(held.ipv6)]);
    expect(shown(succeedTemplate(probe({ routes: [] }), held).ipv4)).to.equal(shown(held.ipv4));
    expect(succeedTemplate(probe({}, { ipv6: false }), probe({}, { ipv6: false })).ipv6).to.equal(null);
  });
});
