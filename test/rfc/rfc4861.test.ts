/** RFC 4861: what a router, and a neighbour that has all addresses, owe to the guest. */
import { expect } from 'chai';
import {
  type Advertisement,
  ALL_NODES,
  ALL_ROUTERS,
  LINK_LOCAL,
  ROUTER,
  RouterLink,
  type Solicitation,
  solicitation,
} from '../support/advertisements.ts';
import { hex, ip6 } from '../support/dhcpv6_client.ts';
import { ENDS6 } from '../support/workbench.ts';
import { absent, bySection, describeTable, differs, type Table } from './table.ts';

const TABLE: Table = {
  '§4.2/1': 'an advertisement comes from a link-local address, with hop limit 255',
  '§4.2/2': 'bits that mean nothing are 0',
  '§4.2/3': 'a link whose MTU is not the usual one has it told',
  '§4.6/1': 'options are multiples of 8 bytes',
  '§4.6/2': 'a message with an option of length 0 is discarded',
  '§4.6.2': 'a prefix has no bits behind its length',
  '§6.1.1/1': 'a solicitation is discarded that has come through a router',
  '§6.1.1/2': 'or has a wrong checksum',
  '§6.1.1/3': 'or a code',
  '§6.1.1/4': 'or is too short',
  '§6.1.1/5': 'or comes from no address, and names a MAC',
  '§6.1.1/6': 'its reserved field and options that are not known are ignored',
  '§6.1.2': absent('advertisements of others are checked', 'we are no host on this link'),
  '§6.2.1/1': 'the interval is at most 1800 s, and at least 3 s',
  '§6.2.1/2': differs('the lifetime is at most 9000 s', 'RFC 8319 §4 allows 65535: a guest that was halted for long finds its way out'),
  '§6.2.3': 'an advertisement says what was configured',
  '§6.2.4/1': 'they come at random intervals between the least and the most',
  '§6.2.4/2': 'the first few come at most 16 s after each other',
  '§6.2.4/3': 'and so do the first after a change',
  '§6.2.5': absent('the end of an advertising interface is told', 'the link ends with us'),
  '§6.2.6/1': 'a solicitation is answered',
  '§6.2.6/2': differs('after a random delay', 'it keeps routers from answering at the same time, and there is no other one'),
  '§6.2.6/3': 'between advertisements to everybody are 3 s at least',
  '§6.2.6/4': 'a solicitation from no address is answered to everybody',
  '§6.2.7': absent('routers compare what they advertise', 'there is no other one'),
  '§6.2.8': 'a router with a new link-local address says from the old one that it is none there any more',
  '§6.3': absent('what hosts do', 'this is a router'),
  '§7.1.1/1': 'a neighbour solicitation is discarded that has come through a router',
  '§7.1.1/2': 'or has a wrong checksum, a code, or is too short',
  '§7.1.1/3': 'or asks for a group',
  '§7.1.1/4': 'or comes from no address, and not to the group of its target, or names a MAC',
  '§7.2.4/1': 'a solicitation for an address that is ours is answered, with our MAC',
  '§7.2.4/2': 'one from no address, to everybody, and as not solicited',
  '§7.2.4/3': 'a router says that it is one',
  '§7.2.6': absent('a new MAC is told to everybody', 'we keep the one we have'),
  '§7.3': absent('unreachable neighbours are found out', 'the guest is where the link ends'),
  '§8': absent('redirects', 'there is nobody else to send to'),
};
describeTable(
  4861,
  bySection({
    '§4.2': 3,
    '§4.6': 2,
    '§4.6.2': 1,
    '§6.1.1': 6,
    '§6.1.2': 1,
    '§6.2.1': 2,
    '§6.2.3': 1,
    '§6.2.4': 3,
    '§6.2.5': 1,
    '§6.2.6': 4,
    '§6.2.7': 1,
    '§6.2.8': 1,
    '§6.3': 1,
    '§7.1.1': 4,
    '§7.2.4': 3,
    '§7.2.6': 1,
    '§7.3': 1,
    '§8': 1,
  }),
  TABLE,
);

const RESERVED = [0, 0, 0, 0];
const SOURCE_MAC = [1, 1, ...ENDS6.guestMac];
const FAR = '2001:db8::99';
const GROUP_OF_FAR = 'ff02::1:ff00:99';
const GROUP_OF_ROUTER = 'ff02::1:ff00:1';

function answers(from: string, to: string, given: Solicitation = {}): Advertisement[] {
  return new RouterLink().deliver(solicitation(from, to, given));
}

/** How many answers a router solicitation has that is not as it should be. */
function routerAnswers(given: Solicitation, from = LINK_LOCAL): number {
  return answers(from, ALL_ROUTERS, given).length;
}

function neighbour(target: string, given: Solicitation = {}, options: readonly number[] = SOURCE_MAC): Solicitation {
  return { type: 135, body: [...RESERVED, ...ip6(target), ...options], ...given };
}

describe('RFC 4861 §6: the router', () => {
  it('RFC 4861 §6.2.6/1, §6.2.6/2, §4.2/1: a solicitation is answered at once', () => {
    const [answer] = answers(LINK_LOCAL, ALL_ROUTERS, { body: [...RESERVED, ...SOURCE_MAC] });
    expect([answer?.type, answer?.from, answer?.to, answer?.mac]).to.deep.equal([134, ROUTER, LINK_LOCAL, hex(ENDS6.guestMac)]);
  });

  it('RFC 4861 §6.2.6/4: one from no address is answered to everybody', () => {
    expect(answers('::', ALL_ROUTERS).map(({ to, mac }) => [to, mac])).to.deep.equal([[ALL_NODES, '333300000001']]);
  });

  it('RFC 4861 §6.1.1/1, §6.1.1/2, §6.1.1/3, §6.1.1/4: what is discarded', () => {
    expect(routerAnswers({})).to.equal(1);
    for (const hopLimit of [0, 64, 254]) expect(routerAnswers({ hopLimit }), `hop limit ${hopLimit}`).to.equal(0);
    expect(routerAnswers({ checksumOff: 1 })).to.equal(0);
    expect(routerAnswers({ code: 1 })).to.equal(0);
    for (const bytes of [0, 1, 3]) expect(routerAnswers({ body: RESERVED.slice(0, bytes) }), `${4 + bytes} bytes`).to.equal(0);
  });

  it('RFC 4861 §6.1.1/5: a MAC without an address', () => expect(routerAnswers({ body: [...RESERVED, ...SOURCE_MAC] }, '::')).to.equal(0));

  it('RFC 4861 §6.1.1/6: what means nothing yet', () => {
    expect(routerAnswers({ body: [255, 255, 255, 255, 200, 2, ...new Uint8Array(14)] })).to.equal(1);
  });

  it('RFC 4861 §4.6/2: options without a length, or with one that is too long', () => {
    for (const options of [[200, 0, 0, 0, 0, 0, 0, 0], [1, 2, 0, 0, 0, 0, 0, 0], [1], [1, 1, 2, 0, 0, 0, 0], [...SOURCE_MAC, 0, 0]])
      expect(routerAnswers({ body: [...RESERVED, ...options] }), options.join()).to.equal(0);
  });

  it('RFC 4861 §4.2/2, §4.2/3, §4.6/1, §4.6.2, §6.2.1/2, §6.2.3: what is in one', () => {
    const link = new RouterLink({ mtu: 9000, search: ['a.example'], address: '2001:db8:1:2:3:4:5:6', dhcpv6: true });
    const { fields, options } = link.solicit();
    expect(fields).to.equal('0080ffff0000000000000000');
    expect(options.map(([type]) => type)).to.deep.equal([1, 3, 5, 31]);
    expect(options[1]?.[1]).to.equal(`030440c0ffffffffffffffff00000000${hex(ip6('2001:db8:1:2::'))}`);
    expect(options[2]?.[1]).to.equal('0501000000002328');
    link.set({ dhcpv6: false, isDefault: false });
    expect(link.solicit().fields, 'no default router, no DHCPv6').to.equal('000000000000000000000000');
  });

  it('RFC 4861 §6.2.1/1, §6.2.4/1, §6.2.4/2, §6.2.4/3: intervals', () => {
    const link = new RouterLink();
    const next = (): number => {
      for (let seconds = 1; seconds < 2000; seconds++) {
        link.bench.advance(1000);
        if (link.sent().length > 0) return seconds;
      }
      return -1;
    };
    for (const change of [1, 2]) {
      link.bench.advance(3000);
      link.begin();
      expect(link.sent(), `change ${change}`).to.have.length(1);
      for (let count = 0; count < 2; count++) expect(next()).to.be.at.most(16);
      for (let count = 0; count < 5; count++) expect(next()).to.be.within(200, 600);
    }
  });

  it('RFC 4861 §6.2.8: the router has another address', () => {
    const told = new RouterLink().change({ router: 'fe80::2' });
    expect(told.map(({ from, fields }) => [from, fields.slice(4, 8)])).to.deep.equal([
      ['fe80::2', 'ffff'],
      [ROUTER, '0000'],
    ]);
  });

  it('RFC 4861 §6.2.6/3: not too many to everybody', () => {
    const link = new RouterLink();
    let sent = 0;
    for (let at = 0; at < 30_000; at += 100) {
      link.bench.advance(100);
      sent += link.deliver(solicitation('::', ALL_ROUTERS)).length + link.sent().length;
    }
    expect(sent).to.be.within(9, 11);
  });
});

describe('RFC 4861 §7: the neighbour', () => {
  it('RFC 4861 §7.2.4/1, §7.2.4/3: who has the address? We have', () => {
    const [answer] = answers(LINK_LOCAL, GROUP_OF_FAR, neighbour(FAR));
    expect([answer?.type, answer?.to, answer?.fields]).to.deep.equal([136, LINK_LOCAL, `e0000000${hex(ip6(FAR))}`]);
    expect(answer?.options).to.deep.equal([[2, `0201${hex(ENDS6.ourMac)}`]]);
  });

  it('RFC 4861 §7.1.1/1, §7.1.1/2, §7.1.1/3: what is discarded', () => {
    const count = (given: Solicitation): number => answers(LINK_LOCAL, GROUP_OF_FAR, given).length;
    expect(count(neighbour(FAR))).to.equal(1);
    expect(count(neighbour(FAR, { hopLimit: 254 }))).to.equal(0);
    expect(count(neighbour(FAR, { checksumOff: 1 }))).to.equal(0);
    expect(count(neighbour(FAR, { code: 1 }))).to.equal(0);
    expect(count({ type: 135, body: [...RESERVED, ...ip6(FAR)].slice(0, 19) })).to.equal(0);
    expect(count(neighbour('ff02::1'))).to.equal(0);
  });

  it('RFC 4861 §7.1.1/4, §7.2.4/2: a claim to an address of ours', () => {
    const [answer] = answers('::', GROUP_OF_ROUTER, neighbour(ROUTER, {}, []));
    expect([answer?.to, answer?.fields]).to.deep.equal([ALL_NODES, `a0000000${hex(ip6(ROUTER))}`]);
    expect(answers('::', GROUP_OF_ROUTER, neighbour(ROUTER))).to.deep.equal([]);
    expect(answers('::', GROUP_OF_FAR, neighbour(ROUTER, {}, []))).to.deep.equal([]);
    expect(answers('::', ROUTER, neighbour(ROUTER, {}, []))).to.deep.equal([]);
  });
});
