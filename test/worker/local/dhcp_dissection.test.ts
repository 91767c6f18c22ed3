/** What tshark says of the DHCP server's replies. */
import { expect } from 'chai';
import fc from 'fast-check';
import { clientMessage, type ClientMessage, DhcpLink, type FactChanges, GUEST, ip, type Option } from '../../support/dhcp_client.ts';
import { complaints, dissect } from '../../support/dissector.ts';
import { buildDatagram } from '../../support/guest_frame.ts';
import { ENDS4 } from '../../support/workbench.ts';

const VNET = 10;
const LONG = Array.from({ length: 6 }, (_, index) => `${'x'.repeat(60)}${index}.${'y'.repeat(60)}${index}.example.org`);
const FACTS: readonly FactChanges[] = [
  {},
  {
    mtu: 65_520,
    hostname: 'guest',
    fqdn: 'guest.example.org',
    servers: ['192.0.2.53', '192.0.2.54'],
    search: ['example.org', 'a.example.org', 'test'],
  },
  { mtu: 1500, renewal: 300, prefixLength: 32, fqdn: `${'f'.repeat(63)}.${'g'.repeat(63)}.example`, search: LONG },
];
const TYPES = [1, 3, 8].map((type): Option => [53, [type]]);

/** The frame of a reply as it is on the wire. */
function framesFor(link: DhcpLink, message: ClientMessage): Uint8Array[] {
  const ends = { ...ENDS4, far: Uint8Array.of(255, 255, 255, 255) };
  link.bench.deliver(buildDatagram(ends, 68, 67, clientMessage(message)));
  return link.bench.kernel.tap.toGuest.splice(0).map((frame) => frame.subarray(VNET));
}

describe('worker/local/dhcp: what tshark says', function () {
  this.timeout(30_000);

  it('complains of no reply, of whatever kind, with whatever in it', () => {
    const frames: Uint8Array[] = [];
    const changes: Option[][] = [
      [],
      [[50, ip('10.1.1.1')]],
      [[80, []]],
      [
        [57, [5, 220]],
        [55, [119, 81, 121, 3, 26]],
      ],
      [
        [61, [1, ...ENDS4.guestMac]],
        [81, [5, 0, 0]],
      ],
      [
        [81, [0, 0, 0, 65]],
        [57, [5, 220]],
      ],
    ];
    for (const facts of FACTS)
      for (const change of changes)
        for (const flags of [0, 0x8000]) {
          const link = new DhcpLink(facts);
          for (const type of TYPES) frames.push(...framesFor(link, { flags, options: [type, ...change] }));
          frames.push(...framesFor(link, { flags, options: change }));
        }
    expect(frames).to.have.length(3 * 6 * 2 * 4);
    expect(complaints(frames)).to.deep.equal([]);
  });

  it('complains of a frame that is spoiled in its checksum, a length or an option', () => {
    const [whole] = framesFor(new DhcpLink(FACTS[1] as FactChanges), { options: [TYPES[0] as Option] });
    const spoiled = [14 + 20 + 6, 14 + 20 + 4, 14 + 20 + 8 + 241].map((at) =>
      (whole as Uint8Array).map((byte, index) => (index === at ? byte ^ 0x55 : byte)),
    );
    expect(complaints([whole as Uint8Array, ...spoiled]).map((line) => line.split('\t')[0])).to.deep.equal(['2', '3', '4']);
  });

  it('sees what was meant', () => {
    const frames = framesFor(new DhcpLink(FACTS[1] as FactChanges), { options: [TYPES[1] as Option, [55, [119]]] });
    const seen = dissect(frames, [
      'dhcp.option.dhcp',
      'dhcp.ip.your',
      'dhcp.option.subnet_mask',
      'dhcp.option.router',
      'dhcp.option.domain_name_server',
      'dhcp.option.interface_mtu',
      'dhcp.option.hostname',
      'dhcp.fqdn.name',
      'dhcp.option.dhcp_server_id',
    ]);
    expect(seen).to.deep.equal([
      ['5', GUEST, '255.255.255.0', '192.0.2.1', '192.0.2.53,192.0.2.54', '65520', 'guest', 'guest.example.org', '192.0.2.1'],
    ]);
  });

  it('complains of none to messages that nobody would send', () => {
    const option = fc.tuple(fc.constantFrom(50, 52, 54, 55, 57, 61, 80, 81), fc.uint8Array({ maxLength: 30 }));
    // tshark knows identifiers of some types, and what these must look like: ours is what the client has sent.
    const options = fc.array(option, { maxLength: 8 }).map((list) => list.filter(([code, value]) => code !== 61 || value[0] === 0));
    const messages = fc.sample(fc.tuple(fc.constantFrom(...TYPES, [53, [1]] as Option), options, fc.boolean()), { numRuns: 600, seed: 7 });
    const link = new DhcpLink(FACTS[1] as FactChanges);
    const frames = messages.flatMap(([type, list, broadcast]) =>
      framesFor(link, { flags: broadcast ? 0x8000 : 0, options: [type, ...list] }),
    );
    expect(frames).to.have.length.above(100);
    expect(complaints(frames)).to.deep.equal([]);
  });
});
