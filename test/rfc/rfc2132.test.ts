/** RFC 2132: the options of DHCP. */
import { expect } from 'chai';
import { ascii, DhcpLink, GATEWAY, GUEST, hex, ip, type Option, optionList } from '../support/dhcp_client.ts';
import { absent, bySection, describeTable, takenOver, type Table } from './table.ts';

const TABLE: Table = {
  '§2/1': 'an option but PAD and END has a length, which may be 0',
  '§2/2': 'options that are not known are skipped',
  '§2/3': 'options are behind a cookie',
  '§3.1': 'PAD has no length, and may be anywhere',
  '§3.2': 'END is the last option, what follows means nothing',
  '§3.3/1': 'the mask is four bytes',
  '§3.3/2': 'the mask comes before the routers where the client has no wish',
  '§3.5': 'routers are told',
  '§3.8': 'servers of DNS are told, the preferred first',
  '§3.14': 'the host name is told, which is one byte at least',
  '§4': absent('parameters of IP', 'the guest’s own defaults are as good as the host’s'),
  '§5.1': 'the MTU is two bytes, and not below 68',
  '§9.1': 'the address that is wished for is four bytes',
  '§9.2': 'the time of a lease is four bytes',
  '§9.3': 'areas are read where the overload says 1, 2 or 3',
  '§9.6': 'the type is one byte',
  '§9.7/1': 'the identifier of the server is in OFFER, ACK and NAK',
  '§9.7/2': 'a client names the server that it means by it',
  '§9.8/1': 'what is asked for is told in that order',
  '§9.8/2': 'what is asked for is told once',
  '§9.9': 'a message tells why a client is refused',
  '§9.10/1': 'the largest message is two bytes, and not below 576',
  '§9.10/2': 'no reply is larger',
  '§9.11': absent('the time of renewal', 'a lease without an end has none'),
  '§9.12': absent('the time of rebinding', 'a lease without an end has none'),
  '§9.13': absent('classes of vendors', 'all clients are told the same'),
  '§9.14': takenOver('the client’s identifier', '§3/1'),
};
describeTable(
  2132,
  bySection({
    '§2': 3,
    '§3.1': 1,
    '§3.2': 1,
    '§3.3': 2,
    '§3.5': 1,
    '§3.8': 1,
    '§3.14': 1,
    '§4': 1,
    '§5.1': 1,
    '§9.1': 1,
    '§9.2': 1,
    '§9.3': 1,
    '§9.6': 1,
    '§9.7': 2,
    '§9.8': 2,
    '§9.9': 1,
    '§9.10': 2,
    '§9.11': 1,
    '§9.12': 1,
    '§9.13': 1,
    '§9.14': 1,
  }),
  TABLE,
);

const DISCOVER: Option = [53, [1]];
const REQUEST: Option = [53, [3]];
const ALL = {
  mtu: 1500,
  hostname: 'guest',
  fqdn: 'guest.example',
  servers: ['192.0.2.53', '192.0.2.52', '192.0.2.54'],
  search: ['example'],
};

describe('RFC 2132 §2, §3: how options are read', () => {
  it('RFC 2132 §2/1, §2/2: what is not known is skipped, whatever its length', () => {
    const options: Option[] = [[200, []], [201, new Uint8Array(255)], [60, ascii('x')], DISCOVER];
    expect(new DhcpLink().ask({ options }).values.get(53)).to.equal('02');
  });

  it('RFC 2132 §2/3: no cookie, no message', () => {
    for (const cookie of [
      [0, 0, 0, 0],
      [99, 130, 83, 98],
    ])
      expect(new DhcpLink().send({ cookie, options: [DISCOVER] })).to.equal(null);
  });

  it('RFC 2132 §3.1: PAD before, between and behind options', () => {
    const raw = [0, 0, ...optionList(REQUEST), 0, ...optionList([50, ip('10.1.1.1')]), 0, 0, 0, 255];
    expect(new DhcpLink().ask({ raw }).values.get(53)).to.equal('06');
  });

  it('RFC 2132 §3.2: nothing counts behind END, and a list that fills the message needs none', () => {
    expect(
      new DhcpLink().ask({ raw: [...optionList(REQUEST), 255, ...optionList([50, ip('10.1.1.1')]), 255, 53] }).values.get(53),
    ).to.equal('05');
    expect(new DhcpLink().ask({ raw: optionList(DISCOVER), least: 0 }).values.get(53)).to.equal('02');
  });

  it('RFC 2132 §2/1: an option that is longer than what is left spoils the message', () => {
    const whole = optionList(DISCOVER, [12, ascii('guest')]);
    for (let cut = 4; cut < whole.length; cut++)
      expect(new DhcpLink().send({ raw: whole.slice(0, cut), least: 0 }), `${cut} bytes`).to.equal(null);
    expect(new DhcpLink().send({ raw: [...optionList(DISCOVER), 12, 255], least: 548 }), '255 of some').to.not.equal(null);
  });

  it('RFC 2132 §9.1, §9.6, §9.7/2: of another length, address, type and server are no such', () => {
    for (const wrong of [
      [50, [192, 0, 2]],
      [50, [192, 0, 2, 2, 0]],
      [54, []],
      [54, [192, 0, 2, 1, 192, 0, 2, 1]],
      [53, [3]],
    ] as Option[])
      expect(new DhcpLink().send({ options: [REQUEST, wrong] }), String(wrong)).to.equal(null);
  });

  it('RFC 2132 §9.3: no area for 0, 4, or two bytes', () => {
    const file = Uint8Array.from([...optionList([50, ip('10.1.1.1')]), 255]);
    for (const overload of [[0], [4], [], [1, 1]])
      expect(new DhcpLink().ask({ file, sname: file, options: [REQUEST, [52, overload]] }).values.get(53), String(overload)).to.equal('05');
  });
});

describe('RFC 2132: what is told', () => {
  it('RFC 2132 §3.3/1, §3.5, §3.8, §3.14, §5.1, §9.2: each option as it is to be', () => {
    const { values } = new DhcpLink({ ...ALL, prefixLength: 23 }).ask({ options: [DISCOVER] });
    expect(values.get(1)).to.equal('fffffe00');
    expect(values.get(3)).to.equal(hex(ip(GATEWAY)));
    expect(values.get(6)).to.equal('c0000235c0000234c0000236');
    expect(values.get(12)).to.equal(hex(ascii('guest')));
    expect(values.get(26)).to.equal('05dc');
    expect(values.get(51)).to.equal('ffffffff');
  });

  it('RFC 2132 §3.3/1: masks of all lengths', () => {
    for (const [prefixLength, mask] of [
      [0, '00000000'],
      [1, '80000000'],
      [8, 'ff000000'],
      [31, 'fffffffe'],
      [32, 'ffffffff'],
    ] as const)
      expect(new DhcpLink({ prefixLength }).ask({ options: [DISCOVER] }).values.get(1)).to.equal(mask);
  });

  it('RFC 2132 §5.1, §3.14: no MTU below 68, and no empty name', () => {
    expect(new DhcpLink({ mtu: 67, hostname: '' }).ask({ options: [DISCOVER] }).codes).to.not.include.members([26, 12]);
    expect(new DhcpLink({ mtu: 68 }).ask({ options: [DISCOVER] }).values.get(26)).to.equal('0044');
  });

  it('RFC 2132 §3.3/2: the mask before the router', () => {
    const { codes } = new DhcpLink().ask({ options: [DISCOVER] });
    expect(codes.indexOf(1)).to.be.below(codes.indexOf(3));
  });

  it('RFC 2132 §9.8/1, §9.8/2: in the order of the client’s list, each once, then the rest', () => {
    const { codes } = new DhcpLink(ALL).ask({ options: [DISCOVER, [55, [26, 3, 3, 44, 1, 12, 26, 51, 0, 255]]] });
    expect(codes).to.deep.equal([53, 26, 3, 1, 12, 51, 54, 6, 81, 119]);
    expect(new DhcpLink(ALL).ask({ options: [DISCOVER, [55, [1, 53]]] }).codes.slice(0, 2)).to.deep.equal([53, 1]);
  });

  it('RFC 2132 §9.7/1: the server’s identifier in all replies', () => {
    const link = new DhcpLink();
    for (const options of [[DISCOVER], [REQUEST], [REQUEST, [50, ip('10.1.1.1')] as Option]])
      expect(link.ask({ options }).values.get(54)).to.equal(hex(ip(GATEWAY)));
  });

  it('RFC 2132 §9.9: a refusal has a reason, and nothing of a lease', () => {
    const reply = new DhcpLink(ALL).ask({ options: [REQUEST, [50, ip('10.1.1.1')], [55, [1, 3, 6, 51]]] });
    expect(reply.codes).to.deep.equal([53, 54, 56]);
    expect(Buffer.from(reply.values.get(56) as string, 'hex').toString()).to.match(/^[ -~]{10,}$/);
  });

  it('RFC 2132 §9.10/1, §9.10/2: as large as the client takes, not below 576 bytes of packet, and as the link carries', () => {
    const search = Array.from({ length: 6 }, (_, index) => `${'x'.repeat(60)}${index}.${'y'.repeat(60)}${index}.${'z'.repeat(60)}${index}`);
    const facts = { ...ALL, search };
    const bytes = (...size: number[]): number => new DhcpLink(facts).ask({ options: [DISCOVER, [57, size]] }).length;
    const all = bytes(5, 220);
    expect(all).to.be.within(1200, 1472);
    expect(bytes(3, 232)).to.be.within(800, 972);
    for (const small of [[2, 64], [0, 0], [2, 63], [], [5, 220, 0]]) expect(bytes(...small), String(small)).to.be.within(300, 548);
    expect(bytes(255, 255)).to.equal(all);
    expect(new DhcpLink(facts, { mtu: 1000 }).ask({ options: [DISCOVER, [57, [255, 255]]] }).length).to.be.within(800, 972);
    expect(new DhcpLink({ ...facts, address: GUEST }, { mtu: 576 }).ask({ options: [DISCOVER, [57, [5, 220]]] }).length).to.be.at.most(548);
  });
});
