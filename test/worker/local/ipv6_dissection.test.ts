/** What tshark says of router and neighbour advertisements, DHCPv6 replies and ARP, before and after changes of the host. */
import { expect } from 'chai';
import fc from 'fast-check';
import { answerArp } from '../../../worker/local/arp.ts';
import { bytes } from '../../../worker/wire/memory.ts';
import { ALL_ROUTERS, LINK_LOCAL, type RouterChanges, RouterLink, solicitation } from '../../support/advertisements.ts';
import { complaints, dissect } from '../../support/dissector.ts';
import { Dhcpv6Link, iaAddress, iaNa, ip6, ME, type Option, optionList, word, YOU } from '../../support/dhcpv6_client.ts';
import { buildDatagram } from '../../support/guest_frame.ts';
import { ENDS6 } from '../../support/workbench.ts';

const VNET = 10;
const LONG = Array.from({ length: 6 }, (_, index) => `${'x'.repeat(60)}${index}.${'y'.repeat(60)}${index}.example.org`);
const EVERYTHING: RouterChanges = {
  dhcpv6: true,
  mtu: 1500,
  routes: ['2001:db8:7::/48', '2001:db8:8:1:2::/80', '::/0'],
  servers: ['2001:db8::53', '2001:db8::54'],
  search: ['example.org', 'a.example.org'],
};
const CHANGES: readonly RouterChanges[] = [
  EVERYTHING,
  { address: '2001:db8:0:5::2', router: 'fe80::2', routes: ['2001:db8:9::/48'], servers: ['2001:db8::55'], search: ['b.example'] },
  { address: null, isDefault: false, search: LONG, routes: Array.from({ length: 30 }, (_, index) => `2001:db8:${index + 20}::/48`) },
  { address: '2001:db8:0:6::2', router: 'fe80::3' },
  EVERYTHING,
];

/** What the worker sends because of all these changes, and of solicitations between them; as it is on the wire. */
function routerFrames(mtu: number): Uint8Array[] {
  const link = new RouterLink(EVERYTHING, { mtu });
  const { tap } = link.bench.kernel;
  const frames: Uint8Array[] = [];
  for (const changes of CHANGES) {
    link.bench.advance(3000);
    link.set(changes);
    link.begin();
    for (const from of [LINK_LOCAL, '::']) link.bench.deliver(solicitation(from, ALL_ROUTERS));
    const target = { type: 135, body: [0, 0, 0, 0, ...ip6('2001:db8::99')] };
    link.bench.deliver(solicitation(LINK_LOCAL, 'ff02::1:ff00:99', target));
    frames.push(...tap.toGuest.splice(0).map((frame) => frame.subarray(VNET)));
  }
  return frames;
}

describe('worker/local: what tshark says of IPv6 and ARP', function () {
  this.timeout(30_000);

  it('complains of no advertisement, whatever has changed', () => {
    for (const mtu of [1280, 1500, 65_520]) {
      const frames = routerFrames(mtu);
      expect(frames).to.have.length.above(15);
      expect(complaints(frames)).to.deep.equal([]);
    }
  });

  it('sees what was meant by the first word after a change, and by the farewell', () => {
    const link = new RouterLink({ ...EVERYTHING, routes: ['2001:db8:7::/48'] });
    link.change({ address: '2001:db8:0:5::2', router: 'fe80::2' });
    link.bench.advance(16_000);
    const frames = link.bench.kernel.tap.toGuest.splice(0).map((frame) => frame.subarray(VNET));
    const fields = [
      'ipv6.src',
      'icmpv6.nd.ra.router_lifetime',
      'icmpv6.opt.prefix',
      'icmpv6.opt.prefix.preferred_lifetime',
      'icmpv6.opt.prefix.valid_lifetime',
      'icmpv6.opt.route_lifetime',
      'icmpv6.opt.rdnss.lifetime',
    ];
    expect(dissect(frames, fields)).to.deep.equal([
      ['fe80::2', '65535', '2001:db8:0:5::,2001:db8::,2001:db8:7::', '4294967295,0', '4294967295,7184', '0', '0'],
      ['fe80::1', '0', '2001:db8:7::', '', '', '0', ''],
    ]);
  });

  it('complains of no DHCPv6 reply, to messages that somebody would send and to others', () => {
    const link = new Dhcpv6Link({ servers: ['2001:db8::53'], search: LONG, fqdn: 'guest.example.org', renewal: 300 });
    link.change({ address: '2001:db8:0:5::2', servers: ['2001:db8::53'], search: ['example.org'], renewal: 300 });
    const former = iaNa(7, iaAddress('2001:db8::2'), iaAddress('2001:db8::77'));
    const known = fc.constantFrom<Option>(former, iaNa(8), [4, word(9)], [14, []], [39, [1]], [6, [0, 23, 0, 24, 0, 39, 0, 32]]);
    const message = fc.tuple(fc.constantFrom(1, 3, 4, 5, 6, 8, 9, 11), fc.boolean(), fc.array(known, { maxLength: 5 }));
    const frames = fc.sample(message, { numRuns: 400, seed: 7 }).flatMap(([type, names, options]) => {
      const payload = [type, 0x12, 0x34, 0x56, ...optionList(ME, ...(names ? [YOU] : []), ...options)];
      const ends = { ...ENDS6, guest: Uint8Array.from(ip6('fe80::ff:fe00:7')), far: Uint8Array.from(ip6('ff02::1:2')) };
      link.bench.deliver(buildDatagram(ends, 546, 547, Uint8Array.from(payload)));
      return link.bench.kernel.tap.toGuest.splice(0).map((frame) => frame.subarray(VNET));
    });
    expect(frames).to.have.length.above(100);
    expect(complaints(frames)).to.deep.equal([]);
  });

  it('complains of no answer by ARP', () => {
    new RouterLink();
    const [at, out] = [4096, 8192];
    const request = [
      ...Array(6).fill(255),
      ...ENDS6.guestMac,
      8,
      6,
      0,
      1,
      8,
      0,
      6,
      4,
      0,
      1,
      ...ENDS6.guestMac,
      192,
      0,
      2,
      2,
      ...Array(6).fill(0),
    ];
    bytes.set(Uint8Array.from([...request, 192, 0, 2, 77]), at);
    const frame = bytes.slice(out, out + answerArp(at, out));
    expect(dissect([frame], ['arp.opcode', 'arp.src.proto_ipv4'])).to.deep.equal([['2', '192.0.2.77']]);
    expect(complaints([frame])).to.deep.equal([]);
  });
});
