/** RFC 6842 (and RFC 4361): the client's identifier in replies. RFC 4039: rapid commit. RFC 1534: BOOTP. */
import { expect } from 'chai';
import { DhcpLink, GUEST, hex, ip, type Option } from '../support/dhcp_client.ts';
import { absent, bySection, describeTable, differs, type Table } from './table.ts';

const IDENTIFIER: Table = {
  '§3/1': 'an identifier that the client sends is in OFFER, ACK and NAK, unchanged',
  '§3/2': 'none is in the reply to a client that sends none',
  '§3/3': absent('a client drops replies with another identifier than its own', 'this is a server'),
};
describeTable(6842, bySection({ '§3': 3 }), IDENTIFIER);

const NODE_IDENTIFIER: Table = {
  '§6.1': absent('a client’s identifier is made of an IAID and a DUID', 'this is a server'),
  '§6.3': 'an identifier is opaque: nothing is read from it, and none is refused for its type',
};
describeTable(4361, bySection({ '§6.1': 1, '§6.3': 1 }), NODE_IDENTIFIER);

const RAPID_COMMIT: Table = {
  '§3.1/1': 'a DISCOVER with the option is answered by an ACK with it, where the server is set up so',
  '§3.1/2': 'the lease is made then, as by a REQUEST',
  '§3.1/3': 'no other reply has the option',
  '§4': 'its length is 0',
};
describeTable(4039, bySection({ '§3.1': 3, '§4': 1 }), RAPID_COMMIT);

const BOOTP: Table = {
  '§2/1': 'a message without a type is BOOTP, and answered by BOOTP',
  '§2/2': 'the reply has no options that only DHCP has',
  '§2/3': 'the address of a BOOTP client is its own for ever',
  '§2/4': differs('a server can be set up to answer no BOOTP', 'there is one guest, and it gets the one address however it asks'),
};
describeTable(1534, bySection({ '§2': 4 }), BOOTP);

const DISCOVER: Option = [53, [1]];
const REQUEST: Option = [53, [3]];
const REFUSED: Option[] = [REQUEST, [50, ip('10.1.1.1')]];

describe('RFC 6842: the client’s identifier', () => {
  it('RFC 6842 §3/1, RFC 4361 §6.3: unchanged in every reply, of whatever type and length', () => {
    for (const identifier of [[1, 2, 0, 0, 0, 0, 7], [255, 1, 2, 3, 4, 0, 2, 9], [0], [], new Uint8Array(255).fill(9)])
      for (const options of [[DISCOVER], [REQUEST], REFUSED, [[53, [8]]] as Option[]]) {
        const reply = new DhcpLink().ask({ options: [...options, [61, identifier]] }, GUEST);
        expect(reply.values.get(61)).to.equal(hex(identifier));
      }
  });

  it('RFC 6842 §3/2: none for who sends none', () => {
    for (const options of [[DISCOVER], [REQUEST], REFUSED]) expect(new DhcpLink().ask({ options }).codes).to.not.include(61);
  });

  it('RFC 6842 §3/1: one that no reply could carry gets no reply', () => {
    expect(new DhcpLink().send({ options: [DISCOVER, [61, new Uint8Array(255)], [61, [1]]] })).to.equal(null);
  });

  it('RFC 6842 §3/1: the longest leaves room for all that a lease needs', () => {
    const facts = { prefixLength: 32, search: ['example.org'], hostname: 'h'.repeat(63), servers: ['192.0.2.53'], mtu: 1500 };
    const reply = new DhcpLink(facts).ask({ options: [DISCOVER, [80, []], [55, [6, 26, 12, 119]], [61, new Uint8Array(255)]] });
    expect(reply.codes).to.include.members([53, 54, 51, 1, 3, 121, 80, 61]);
    expect(reply.length).to.be.at.most(548);
  });
});

describe('RFC 4039: rapid commit', () => {
  it('RFC 4039 §3.1/1, §3.1/2, §4: an ACK at once, with the empty option and a lease', () => {
    const reply = new DhcpLink().ask({ options: [DISCOVER, [80, []]] });
    expect([reply.yiaddr, reply.to, reply.values.get(53), reply.values.get(80), reply.values.get(51)]).to.deep.equal([
      GUEST,
      GUEST,
      '05',
      '',
      'ffffffff',
    ]);
  });

  it('RFC 4039 §3.1/3: in no other reply', () => {
    for (const options of [
      [DISCOVER],
      [REQUEST, [80, []] as Option],
      [...REFUSED, [80, []] as Option],
      [[53, [8]] as Option, [80, []] as Option],
    ])
      expect(new DhcpLink().ask({ options }, GUEST).codes).to.not.include(80);
  });
});

describe('RFC 1534: BOOTP', () => {
  it('RFC 1534 §2/1, §2/2, §2/3: a reply of BOOTP’s size, without type, server, time or identifier', () => {
    const facts = {
      hostname: 'guest',
      servers: ['192.0.2.53'],
      mtu: 1500,
      search: Array.from({ length: 6 }, (_, index) => `${'x'.repeat(60)}${index}`),
    };
    const reply = new DhcpLink(facts).ask({
      options: [
        [61, [1, 2, 3]],
        [55, [51, 54, 1]],
        [57, [5, 220]],
        [80, []],
      ],
    });
    expect([reply.op, reply.yiaddr, reply.to, reply.length]).to.deep.equal([2, GUEST, GUEST, 300]);
    expect(reply.codes).to.include.members([1, 3, 6, 12, 26]);
    for (const code of [51, 53, 54, 61, 80, 119]) expect(reply.codes).to.not.include(code);
  });

  it('RFC 1534 §2/4, §2/1: a client without any option, and one that has its address', () => {
    expect(new DhcpLink().ask({}).yiaddr).to.equal(GUEST);
    const reply = new DhcpLink().ask({ ciaddr: GUEST }, GUEST);
    expect([reply.ciaddr, reply.yiaddr, reply.to]).to.deep.equal([GUEST, '0.0.0.0', GUEST]);
  });
});
