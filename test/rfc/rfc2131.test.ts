/** RFC 2131: who is given the address, and how each reply looks. */
import { expect } from 'chai';
import {
  ascii,
  BROADCAST,
  type ClientMessage,
  DhcpLink,
  GATEWAY,
  GUEST,
  hex,
  ip,
  type Option,
  optionList,
  type Reply,
} from '../support/dhcp_client.ts';
import { ENDS4 } from '../support/workbench.ts';
import { absent, bySection, describeTable, differs, type Table } from './table.ts';

const TABLE: Table = {
  '§2/1': 'what the client did not say that it takes more, no reply has more than 576 bytes',
  '§2/2': 'bits of flags other than the one for broadcasts are ignored',
  '§3.1/1': 'a DISCOVER is answered by an OFFER with an address and parameters',
  '§3.1/2': 'a REQUEST to another server is no request to this one',
  '§3.1/3': 'the ACK says what the OFFER has said',
  '§3.1/4': 'a REQUEST that can’t be met is answered by a NAK',
  '§3.1/5': 'a RELEASE is the end of the lease',
  '§3.2/1': 'a client that remembers the address has it acknowledged',
  '§3.2/2': 'a client that remembers another one is refused',
  '§3.4': 'a client that has an address otherwise is told the parameters',
  '§3.5': 'parameters that are asked for are told in every reply',
  '§4.1/1': 'replies come from the server’s port, and go to the client’s',
  '§4.1/2': 'options in file and sname are read when it is said that there are some',
  '§4.1/3': differs(
    'a message that came through a relay is answered to the relay',
    'the clients behind a relay are on a link of which nothing is known',
  ),
  '§4.1/4': 'without a relay, a client with an address is answered there',
  '§4.1/5': 'one without, that wants a broadcast, gets one',
  '§4.1/6': 'and else a unicast to the address that it gets, and to its hardware address',
  '§4.1/7': 'a NAK is broadcast',
  '§4.1/8': 'the number of the transaction is returned',
  '§4.2': absent('an administrator decides to whom replies are given', 'there is one guest, and the link has nobody else'),
  '§4.3/1': 'a server’s own messages are no requests',
  '§4.3/2': 'types that are not known are ignored',
  '§4.3.1/1': 'the fields of an OFFER are those of table 3',
  '§4.3.1/2': 'an OFFER has type, server identifier and lease time',
  '§4.3.1/3': 'and none of the options that only clients have',
  '§4.3.1/4': 'the subnet mask is told',
  '§4.3.2/1': 'SELECTING: a REQUEST that names this server and the address',
  '§4.3.2/2': 'INIT-REBOOT: a REQUEST that names an address, and no server',
  '§4.3.2/3': differs(
    'INIT-REBOOT: silence where nothing is known of the client',
    'the link is ours, so any other address than the one is wrong on it',
  ),
  '§4.3.2/4': 'RENEWING: a REQUEST from the address, to the server alone',
  '§4.3.2/5': 'REBINDING: a REQUEST from the address, to everybody',
  '§4.3.2/6': 'an address that the client should not have is refused then too',
  '§4.3.3': differs('an address that was declined is not given again', 'there is one, and it is the guest’s whoever else claims it'),
  '§4.3.4': 'a RELEASE is not answered',
  '§4.3.5/1': 'an INFORM is answered by an ACK, to the client’s address',
  '§4.3.5/2': 'without lease and without an address',
  '§4.3.5/3': 'whether or not there is a lease',
  '§4.4': absent('what clients do', 'this is a server'),
  '§4.4.5': 'a client is told when to renew and when to rebind: T1 before T2, that before the lease ends',
};
describeTable(
  2131,
  bySection({
    '§2': 2,
    '§3.1': 5,
    '§3.2': 2,
    '§3.4': 1,
    '§3.5': 1,
    '§4.1': 8,
    '§4.2': 1,
    '§4.3': 2,
    '§4.3.1': 4,
    '§4.3.2': 6,
    '§4.3.3': 1,
    '§4.3.4': 1,
    '§4.3.5': 3,
    '§4.4': 1,
    '§4.4.5': 1,
  }),
  TABLE,
);

const OFFER = '02';
const ACK = '05';
const NAK = '06';
const OTHER = '192.0.2.77';
const MAC = hex(ENDS4.guestMac);
const ALL_ONES = 'f'.repeat(12);

const type = (number: number): Option => [53, [number]];
const requested = (address: string): Option => [50, ip(address)];
const server = (address: string): Option => [54, ip(address)];

/** Type, destination and address of a reply; null when there is none. */
function summary(reply: Reply | null): [string | undefined, string, string] | null {
  return reply === null ? null : [reply.values.get(53), reply.to, reply.yiaddr];
}

describe('RFC 2131 §3: the course of a lease', () => {
  const link = (): DhcpLink => new DhcpLink();

  it('RFC 2131 §3.1/1, §4.3.1/2: DISCOVER, OFFER', () => {
    const reply = link().ask({ options: [type(1)] });
    expect(summary(reply)).to.deep.equal([OFFER, GUEST, GUEST]);
    expect([reply.values.get(54), reply.values.get(51)]).to.deep.equal([hex(ip(GATEWAY)), 'ffffffff']);
    expect(reply.codes).to.include.members([51, 53, 54]);
  });

  it('RFC 2131 §3.1/3, §3.1/1: an address that is wished for changes nothing in the offer', () => {
    const one = link();
    const offer = one.ask({ options: [type(1), requested(OTHER), [51, [0, 0, 0, 9]]] });
    const ack = one.ask({ options: [type(3), requested(offer.yiaddr), server(GATEWAY)] });
    const without53 = (reply: Reply): unknown => [...reply.values].filter(([code]) => code !== 53);
    expect(without53(ack)).to.deep.equal(without53(offer));
    expect(ack.yiaddr).to.equal(offer.yiaddr);
  });

  it('RFC 2131 §4.3.2/1: SELECTING is acknowledged', () => {
    expect(summary(link().send({ options: [type(3), requested(GUEST), server(GATEWAY)] }))).to.deep.equal([ACK, GUEST, GUEST]);
  });

  it('RFC 2131 §3.1/2: SELECTING another server is not answered, whatever the address', () => {
    expect(link().send({ options: [type(3), requested(GUEST), server('192.0.2.9')] })).to.equal(null);
    expect(link().send({ options: [type(3), requested(OTHER), server('192.0.2.9')] })).to.equal(null);
  });

  it('RFC 2131 §3.1/4: SELECTING another address than was offered is refused', () => {
    const reply = link().ask({ options: [type(3), requested(OTHER), server(GATEWAY)] });
    expect(summary(reply)).to.deep.equal([NAK, BROADCAST, '0.0.0.0']);
  });

  it('RFC 2131 §3.2/1, §4.3.2/2: INIT-REBOOT with the address', () => {
    expect(summary(link().send({ options: [type(3), requested(GUEST)] }))).to.deep.equal([ACK, GUEST, GUEST]);
  });

  it('RFC 2131 §3.2/2, §4.3.2/3, §4.1/7: INIT-REBOOT with another one, of this prefix or not, is refused by a broadcast', () => {
    for (const address of [OTHER, '10.1.1.1', BROADCAST, '127.0.0.1'])
      expect(summary(link().send({ options: [type(3), requested(address)] })), address).to.deep.equal([NAK, BROADCAST, '0.0.0.0']);
  });

  it('RFC 2131 §4.3.2/4: RENEWING', () => {
    const reply = link().send({ ciaddr: GUEST, options: [type(3)] }, GUEST, GATEWAY);
    expect(summary(reply)).to.deep.equal([ACK, GUEST, GUEST]);
    expect(reply?.ciaddr).to.equal(GUEST);
  });

  it('RFC 2131 §4.3.2/5: REBINDING', () => {
    expect(summary(link().send({ ciaddr: GUEST, options: [type(3)] }, GUEST))).to.deep.equal([ACK, GUEST, GUEST]);
  });

  it('RFC 2131 §4.3.2/6: renewing an address that is not the guest’s any more is refused, and the refusal reaches it', () => {
    const reply = link().ask({ ciaddr: OTHER, options: [type(3)] }, OTHER, GATEWAY);
    expect(summary(reply)).to.deep.equal([NAK, BROADCAST, '0.0.0.0']);
    expect([reply.mac, reply.ciaddr]).to.deep.equal([ALL_ONES, '0.0.0.0']);
  });

  it('RFC 2131 §3.1/5, §4.3.4: a RELEASE has no answer, and the address is there for the next client', () => {
    const one = link();
    expect(one.send({ ciaddr: GUEST, options: [type(7), server(GATEWAY)] }, GUEST, GATEWAY)).to.equal(null);
    expect(summary(one.send({ options: [type(1)], chaddr: [2, 9, 9, 9, 9, 9] }))).to.deep.equal([OFFER, GUEST, GUEST]);
  });

  it('RFC 2131 §4.3.3: a DECLINE has no answer, and the address remains the guest’s', () => {
    const one = link();
    expect(one.send({ options: [type(4), requested(GUEST), server(GATEWAY)] })).to.equal(null);
    expect(summary(one.send({ options: [type(1)] }))).to.deep.equal([OFFER, GUEST, GUEST]);
  });

  it('RFC 2131 §3.4, §4.3.5/1, §4.3.5/2, §4.3.5/3: an INFORM is told the parameters, and no lease, whatever its address is', () => {
    for (const address of [GUEST, OTHER, '10.1.1.1']) {
      const reply = new DhcpLink({ servers: ['192.0.2.53'] }).ask({ ciaddr: address, options: [type(8), [55, [1, 3, 6]]] }, address);
      expect(summary(reply)).to.deep.equal([ACK, address, '0.0.0.0']);
      expect([reply.ciaddr, reply.codes]).to.deep.equal([address, [53, 1, 3, 6, 54]]);
    }
  });

  it('RFC 2131 §4.3.5/1: an INFORM that does not say its address is answered to where it came from', () => {
    expect(link().ask({ options: [type(8)] }, OTHER).to).to.equal(OTHER);
    expect(link().ask({ options: [type(8)] }).to).to.equal(BROADCAST);
  });
});

describe('RFC 2131 §4.1: where a reply goes', () => {
  const discover: ClientMessage = { options: [type(1)] };

  it('RFC 2131 §4.1/1: from port 67 to port 68, with an identifier that is the source', () => {
    const reply = new DhcpLink().ask(discover);
    expect([reply.from, reply.values.get(54)]).to.deep.equal([GATEWAY, hex(ip(GATEWAY))]);
  });

  it('RFC 2131 §4.1/6: a unicast to the address and to chaddr', () => {
    const reply = new DhcpLink().ask({ ...discover, chaddr: [2, 1, 2, 3, 4, 5] });
    expect([reply.to, reply.mac]).to.deep.equal([GUEST, '020102030405']);
  });

  it('RFC 2131 §4.1/6: to the sender of the frame, where chaddr is no address of Ethernet', () => {
    for (const hardware of [
      [32, 16],
      [1, 0],
      [6, 6],
    ] as const)
      expect(new DhcpLink().ask({ ...discover, hardware, chaddr: [2, 1, 2, 3, 4, 5] }).mac).to.equal(MAC);
    expect(new DhcpLink().ask({ ...discover, chaddr: [0, 0, 0, 0, 0, 0] }).mac, 'none').to.equal(MAC);
    expect(new DhcpLink().ask({ ...discover, chaddr: [255, 255, 255, 255, 255, 255] }).mac, 'a group').to.equal(MAC);
  });

  it('RFC 2131 §4.1/5, §2/2: a broadcast where the flag asks for one, and for no other flag', () => {
    const reply = new DhcpLink().ask({ ...discover, flags: 0x8000 });
    expect([reply.to, reply.mac, reply.yiaddr, reply.flags]).to.deep.equal([BROADCAST, ALL_ONES, GUEST, 0x8000]);
    expect(new DhcpLink().ask({ ...discover, flags: 0x7fff }).to).to.equal(GUEST);
  });

  it('RFC 2131 §4.1/4: a client with an address is answered there, though it asks for a broadcast', () => {
    const reply = new DhcpLink().ask({ ciaddr: GUEST, flags: 0x8000, options: [type(3)] }, GUEST, GATEWAY);
    expect([reply.to, reply.mac]).to.deep.equal([GUEST, MAC]);
  });

  it('RFC 2131 §4.1/4: an address that nobody can have gets no answer', () => {
    for (const ciaddr of [BROADCAST, '127.0.0.1', '224.0.0.1'])
      expect(new DhcpLink().send({ ciaddr, options: [type(8)] }), ciaddr).to.equal(null);
  });

  it('RFC 2131 §4.1/3: nothing through a relay', () => {
    expect(new DhcpLink().send({ ...discover, giaddr: '192.0.2.2' })).to.equal(null);
  });

  it('RFC 2131 §4.1/2: options in file, in sname and in both', () => {
    const wish = Uint8Array.from([...optionList(requested(OTHER)), 255]);
    for (const [overload, fields] of [
      [1, { file: wish }],
      [2, { sname: wish }],
      [3, { file: Uint8Array.of(255), sname: wish }],
      [3, { file: Uint8Array.from(optionList(requested(OTHER))), sname: Uint8Array.of(255) }],
    ] as const) {
      const reply = new DhcpLink().ask({ ...fields, options: [type(3), [52, [overload]]] });
      expect(reply.values.get(53), `overload ${overload}`).to.equal(NAK);
    }
    expect(new DhcpLink().ask({ file: wish, sname: wish, options: [type(3)] }).values.get(53), 'not said').to.equal(ACK);
    const nested = Uint8Array.from([...optionList([52, [2]]), 255]);
    expect(new DhcpLink().ask({ file: nested, sname: wish, options: [type(3), [52, [1]]] }).values.get(53), 'said elsewhere').to.equal(ACK);
  });
});

describe('RFC 2131 §4.3.1: what a reply has', () => {
  it('RFC 2131 §4.3.1/1, §4.1/8: the fields of table 3', () => {
    const given = { xid: 0xdeadbeef, secs: 77, flags: 0x8000, ciaddr: GUEST, yiaddr: OTHER, file: Uint8Array.from(ascii('boot')) };
    for (const options of [[type(1)], [type(3)]]) {
      const { op, hops, xid, secs, flags, yiaddr, siaddr, giaddr, chaddr } = new DhcpLink().ask({ ...given, options });
      expect([op, hops, xid, secs, flags, yiaddr, siaddr, giaddr, chaddr]).to.deep.equal([
        2,
        0,
        0xdeadbeef,
        0,
        0x8000,
        GUEST,
        '0.0.0.0',
        '0.0.0.0',
        `${MAC}${'00'.repeat(10)}`,
      ]);
    }
    const offer = new DhcpLink().ask({ ...given, options: [type(1)] });
    expect([offer.ciaddr, offer.to], 'an OFFER has no address of the client').to.deep.equal(['0.0.0.0', BROADCAST]);
  });

  it('RFC 2131 §4.4.5: T1 and T2', () => {
    for (const code of [1, 3]) {
      const { values } = new DhcpLink({ renewal: 300 }).ask({ options: [type(code)] });
      const [renewal, rebinding, lease] = [58, 59, 51].map((option) => Number.parseInt(values.get(option) as string, 16)) as [
        number,
        number,
        number,
      ];
      expect([renewal, rebinding / lease, lease]).to.deep.equal([300, 0.875, 3600]);
    }
  });

  it('RFC 2131 §4.3.1/3, §4.3.1/4, §3.5: the mask and what is asked for, and nothing that only clients say', () => {
    const { codes } = new DhcpLink({ mtu: 1500 }).ask({
      options: [type(1), requested(GUEST), [55, [26, 50, 55, 57, 42]], [57, [5, 220]], [60, ascii('test')]],
    });
    expect(codes).to.include.members([1, 26]);
    expect(codes).to.not.include.members([50, 55, 57, 60, 42]);
  });

  it('RFC 2131 §2/1: 576 bytes at most, however much there is to tell', () => {
    const names = Array.from({ length: 6 }, (_, index) => `${'x'.repeat(60)}.${'y'.repeat(60)}${index}.example`);
    const link = new DhcpLink({
      search: names,
      hostname: 'h'.repeat(60),
      fqdn: `${'f'.repeat(60)}.example`,
      servers: ['192.0.2.53'],
      mtu: 1500,
    });
    const client = [type(1), [61, new Uint8Array(255).fill(7)]] as const;
    expect(link.ask({ options: client }).length).to.be.at.most(548);
    expect(link.ask({ options: [...client, [55, [119, 81, 12]]] }).length).to.be.at.most(548);
  });

  it('RFC 2131 §4.3/1, §4.3/2: replies, and types that are not known or not of one byte, are ignored', () => {
    for (const number of [0, 2, 5, 6, 9, 13, 255])
      expect(new DhcpLink().send({ options: [type(number)] }), `type ${number}`).to.equal(null);
    expect(new DhcpLink().send({ op: 2, options: [type(1)] })).to.equal(null);
    expect(new DhcpLink().send({ options: [[53, []]] }), 'empty').to.equal(null);
    expect(new DhcpLink().send({ options: [[53, [1, 1]]] }), 'two bytes').to.equal(null);
  });
});
