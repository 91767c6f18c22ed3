/** RFC 8415: who is given the address by DHCPv6, and how each reply looks. */
import { expect } from 'chai';
import {
  CLIENT_DUID,
  type ClientMessage,
  Dhcpv6Link,
  FOREVER,
  GUEST,
  iaAddress,
  iaNa,
  hex,
  ip6,
  ME,
  type Option,
  type Reply,
  SERVER_DUID,
  statusIn,
  told,
  within,
  word,
  YOU,
} from '../support/dhcpv6_client.ts';
import { absent, bySection, describeTable, differs, type Table } from './table.ts';

const TABLE: Table = {
  '§7.2': 'clients listen on port 546, servers on port 547',
  '§8': 'a message has a type, a number of the transaction, which is returned, and options',
  '§11.1': 'identifiers of 3 to 130 bytes are compared and returned, and nothing is read in them',
  '§11.4': 'the server is named by its link-layer address',
  '§13.2': absent('temporary addresses are chosen', 'there are none to be had'),
  '§14.2': 'T1 and T2 are the server’s choice: for a lease that does not end they are infinite',
  '§16/1': 'a Solicit, Confirm, Rebind or Information-request that was not multicast is discarded',
  '§16/2': 'options that are not known are ignored',
  '§16/3': 'a message with an option that may be there once, twice, is discarded',
  '§16.2': 'a Solicit without a client, or with a server, is discarded',
  '§16.3': 'an Advertise is discarded',
  '§16.4': 'a Request without a client, without a server or with another one is discarded',
  '§16.5': 'so is a Confirm without a client, or with a server',
  '§16.6': 'a Renew as a Request',
  '§16.7': 'a Rebind as a Confirm',
  '§16.8': 'a Decline as a Request',
  '§16.9': 'a Release as a Request',
  '§16.10': 'a Reply is discarded',
  '§16.11': 'a Reconfigure is discarded',
  '§16.12': 'an Information-request with another server, or with an association, is discarded',
  '§16.13': 'what a relay forwards is discarded',
  '§16.14': 'what a server tells a relay is discarded',
  '§18.2': absent('what clients do', 'this is a server'),
  '§18.3.1/1': 'a Solicit is answered by an Advertise with what a Request would get',
  '§18.3.1/2': 'one that wants rapid commit, by a Reply with the option',
  '§18.3.2/1': 'a Request is answered by a Reply with the lease',
  '§18.3.2/2': 'an address that is not of this link is answered by NotOnLink in its association',
  '§18.3.2/3': 'an association that gets no address, by NoAddrsAvail',
  '§18.3.3/1': 'a Confirm is answered by Success, where all its addresses are of the link',
  '§18.3.3/2': differs(
    'by NotOnLink, where any is of another one',
    'so is another address of the prefix: the client shall get the one that is reached from outside',
  ),
  '§18.3.3/3': 'and one without addresses is not answered',
  '§18.3.4/1': 'a Renew is answered by a Reply with the lease',
  '§18.3.4/2': 'addresses that are not the client’s get lifetimes of 0',
  '§18.3.4/3': 'an association of which nothing is known, NoBinding',
  '§18.3.5': 'a Rebind as a Renew',
  '§18.3.6/1': 'an Information-request is answered by a Reply with what there is to tell, and no lease',
  '§18.3.6/2': 'with the client’s identifier where it has one',
  '§18.3.7/1': 'a Release is answered by Success',
  '§18.3.7/2': 'with NoBinding in each association of which nothing is known',
  '§18.3.8': differs('an address that was declined is not given again', 'there is one, and it is the guest’s whoever else claims it'),
  '§18.3.9': 'what the server sends goes to where the message came from, port 546',
  '§18.3.10': 'the server’s identifier is in every reply, the client’s as it was',
  '§18.3.11': absent('servers make clients renew', 'nobody could have been given a key for it'),
  '§18.4': 'a Request, Renew, Release or Decline that was not multicast is answered by UseMulticast, and nothing else',
  '§19': absent('relays', 'a relay in the guest has clients on a link of which nothing is known'),
  '§21.5': 'of temporary addresses there are none: NoAddrsAvail',
  '§21.7': 'of what a client can ask for it is told what it asks for; one that asks for nothing, all',
  '§21.8': 'the server says that it is to be taken, so no client waits for another one',
  '§21.13': 'the text of a status is for people, and not ended by a zero',
  '§21.21': 'of prefixes there are none: NoPrefixAvail',
  '§21.23': 'who asks for the time of refreshing is told one of at least ten minutes',
};
describeTable(
  8415,
  bySection({
    '§7.2': 1,
    '§8': 1,
    '§11.1': 1,
    '§11.4': 1,
    '§13.2': 1,
    '§14.2': 1,
    '§16': 3,
    '§16.2': 1,
    '§16.3': 1,
    '§16.4': 1,
    '§16.5': 1,
    '§16.6': 1,
    '§16.7': 1,
    '§16.8': 1,
    '§16.9': 1,
    '§16.10': 1,
    '§16.11': 1,
    '§16.12': 1,
    '§16.13': 1,
    '§16.14': 1,
    '§18.2': 1,
    '§18.3.1': 2,
    '§18.3.2': 3,
    '§18.3.3': 3,
    '§18.3.4': 3,
    '§18.3.5': 1,
    '§18.3.6': 2,
    '§18.3.7': 2,
    '§18.3.8': 1,
    '§18.3.9': 1,
    '§18.3.10': 1,
    '§18.3.11': 1,
    '§18.4': 1,
    '§19': 1,
    '§21.5': 1,
    '§21.7': 1,
    '§21.8': 1,
    '§21.13': 1,
    '§21.21': 1,
    '§21.23': 1,
  }),
  TABLE,
);

const SOLICIT = 1;
const ADVERTISE = 2;
const REQUEST = 3;
const CONFIRM = 4;
const RENEW = 5;
const REBIND = 6;
const REPLY = 7;
const RELEASE = 8;
const DECLINE = 9;
const INFORMATION = 11;
const NO_ADDRESSES = 2;
const NO_BINDING = 3;
const NOT_ON_LINK = 4;
const USE_MULTICAST = 5;
const NO_PREFIXES = 6;

const OTHER = '2001:db8::77';
const ELSEWHERE = '2001:db9::77';
const STRANGER: Option = [2, [0, 3, 0, 1, 2, 2, 2, 2, 2, 2]];
const prefixes: Option = [25, [...word(9), ...word(0), ...word(0)]];
const temporary: Option = [4, word(8)];
const lease = (address: string, lifetime: string): { code: number; value: string } => ({
  code: 5,
  value: hex(ip6(address)) + lifetime + lifetime,
});
const GIVEN = lease(GUEST, FOREVER);

function link(): Dhcpv6Link {
  return new Dhcpv6Link({ servers: ['2001:db8::53'], search: ['example.org'] });
}

function ask(type: number, ...options: Option[]): Reply {
  return link().ask({ type, options });
}

function isSilent(type: number, ...options: Option[]): boolean {
  return link().send({ type, options }) === null;
}

/** What is in each association for addresses of a reply. */
function associations(reply: Reply): (readonly { code: number; value: string }[])[] {
  return reply.options.filter(({ code }) => code === 3).map(({ value }) => [...within(value)]);
}

describe('RFC 8415 §16: what is discarded', () => {
  const needsServer = (type: number): void => {
    const address = iaNa(7, iaAddress(GUEST));
    expect(isSilent(type, ME, YOU, address), 'as it should be').to.equal(false);
    expect(isSilent(type, ME, address), 'no server').to.equal(true);
    expect(isSilent(type, ME, STRANGER, address), 'another server').to.equal(true);
    expect(isSilent(type, ME, [2, [...SERVER_DUID, 0]], address), 'a longer one').to.equal(true);
    expect(isSilent(type, YOU, address), 'no client').to.equal(true);
  };
  const refusesServer = (type: number): void => {
    const address = iaNa(7, iaAddress(GUEST));
    expect(isSilent(type, ME, address), 'as it should be').to.equal(false);
    expect(isSilent(type, ME, YOU, address), 'a server').to.equal(true);
    expect(isSilent(type, address), 'no client').to.equal(true);
  };

  it('RFC 8415 §16/1: what must be multicast, and was not', () => {
    for (const type of [SOLICIT, CONFIRM, REBIND])
      expect(link().send({ type, options: [ME, iaNa(7, iaAddress(GUEST))] }, undefined, 'fe80::1'), `type ${type}`).to.equal(null);
    expect(link().send({ type: INFORMATION, options: [ME] }, undefined, 'fe80::1')).to.equal(null);
  });

  it('RFC 8415 §16/2, §7.2, §8: an option that is not known makes no difference', () => {
    expect(ask(SOLICIT, [65_000, [1, 2, 3]], ME, [16, [0, 0, 1, 1]], iaNa(7), [65_001, []])).to.deep.equal(ask(SOLICIT, ME, iaNa(7)));
  });

  it('RFC 8415 §16/3: identifiers that are there twice', () => {
    expect(isSilent(SOLICIT, ME, ME, iaNa(7))).to.equal(true);
    expect(isSilent(REQUEST, ME, YOU, YOU, iaNa(7))).to.equal(true);
  });

  it('RFC 8415 §16.2: Solicit', () => refusesServer(SOLICIT));
  it('RFC 8415 §16.4: Request', () => needsServer(REQUEST));
  it('RFC 8415 §16.5: Confirm', () => refusesServer(CONFIRM));
  it('RFC 8415 §16.6: Renew', () => needsServer(RENEW));
  it('RFC 8415 §16.7: Rebind', () => refusesServer(REBIND));
  it('RFC 8415 §16.8: Decline', () => needsServer(DECLINE));
  it('RFC 8415 §16.9: Release', () => needsServer(RELEASE));

  it('RFC 8415 §16.3, §16.10, §16.11, §16.13, §16.14: what servers and relays say, and what has no type', () => {
    for (const type of [0, ADVERTISE, REPLY, 10, 12, 13, 14, 255])
      for (const options of [[ME], [ME, YOU], [ME, YOU, iaNa(7)]] as Option[][])
        expect(isSilent(type, ...options), `type ${type}`).to.equal(true);
    const inside = [1, 0, 0, 1, 0, 1, 0, 18, ...CLIENT_DUID];
    const relayed = [12, 0, ...ip6('2001:db8::1'), ...ip6('fe80::7'), 0, 9, 0, inside.length, ...inside];
    expect(link().exchange(Uint8Array.from(relayed))).to.equal(null);
  });

  it('RFC 8415 §16.12: Information-request', () => {
    expect(isSilent(INFORMATION)).to.equal(false);
    expect(isSilent(INFORMATION, ME, YOU)).to.equal(false);
    expect(isSilent(INFORMATION, ME, STRANGER)).to.equal(true);
    for (const association of [iaNa(7), temporary, prefixes]) expect(isSilent(INFORMATION, ME, association)).to.equal(true);
  });

  it('RFC 8415 §8: a message that ends in the middle of an option, or of its own header', () => {
    const raw = [...[0, 1, 0, 18, ...CLIENT_DUID], ...[0, 3, 0, 12, ...word(7), ...word(0), ...word(0)]];
    const replies = raw.map((_, cut) => link().send({ type: SOLICIT, raw: raw.slice(0, cut) }) !== null);
    // The identifier alone is a message without an association.
    expect(replies.flatMap((replied, cut) => (replied ? [cut] : []))).to.deep.equal([22]);
    for (const bytes of [0, 1, 3]) expect(link().exchange(new Uint8Array(bytes).fill(1))).to.equal(null);
  });

  it('RFC 8415 §8: options that end in the middle of another one', () => {
    for (const value of [
      word(7),
      [...word(7), ...word(0), ...word(0), 0],
      [...word(7), ...word(0), ...word(0), 0, 5, 0, 23, ...new Uint8Array(23)],
    ])
      expect(isSilent(SOLICIT, ME, [3, value])).to.equal(true);
    expect(isSilent(SOLICIT, ME, [4, [1]])).to.equal(true);
    expect(isSilent(SOLICIT, ME, [6, [1]])).to.equal(true);
  });
});

describe('RFC 8415 §18.3: the course of a lease', () => {
  it('RFC 8415 §18.3.1/1, §14.2, §21.8: Solicit', () => {
    const reply = ask(SOLICIT, ME, iaNa(7));
    expect(reply.type).to.equal(ADVERTISE);
    expect(told(reply, 7)).to.equal('ff');
    expect(told(reply, 3)?.slice(0, 24)).to.equal(`00000007${FOREVER}${FOREVER}`);
    expect(associations(reply)).to.deep.equal([[GIVEN]]);
  });

  it('RFC 8415 §18.3.1/1: an address that is wished for changes nothing', () => {
    for (const address of [OTHER, ELSEWHERE]) expect(associations(ask(SOLICIT, ME, iaNa(7, iaAddress(address))))).to.deep.equal([[GIVEN]]);
  });

  it('RFC 8415 §18.3.1/2: rapid commit', () => {
    const reply = ask(SOLICIT, ME, iaNa(7), [14, []]);
    expect([reply.type, told(reply, 14), told(reply, 7)]).to.deep.equal([REPLY, '', undefined]);
    expect(associations(reply)).to.deep.equal([[GIVEN]]);
    expect(told(ask(REQUEST, ME, YOU, iaNa(7), [14, []]), 14), 'a Request has none').to.equal(undefined);
  });

  it('RFC 8415 §18.3.2/1: Request', () => {
    for (const wish of [[], [iaAddress(GUEST)], [iaAddress(OTHER)]]) {
      const reply = ask(REQUEST, ME, YOU, iaNa(7, ...wish));
      expect([reply.type, associations(reply)]).to.deep.equal([REPLY, [[GIVEN]]]);
    }
  });

  it('RFC 8415 §18.3.2/2, §21.13: Request of an address of another link', () => {
    const [inside] = associations(ask(REQUEST, ME, YOU, iaNa(7, iaAddress(ELSEWHERE))));
    expect(inside?.map(({ code }) => code)).to.deep.equal([13]);
    expect(statusIn(inside ?? [])).to.equal(NOT_ON_LINK);
    expect(Buffer.from(inside?.[0]?.value.slice(4) ?? '', 'hex').toString()).to.match(/^[a-z ]+$/);
  });

  it('RFC 8415 §18.3.2/3, §21.5, §21.21: a second association, temporary addresses, prefixes', () => {
    for (const [type, options] of [
      [SOLICIT, [ME]],
      [REQUEST, [ME, YOU]],
    ] as [number, Option[]][]) {
      const reply = ask(type, ...options, iaNa(7), iaNa(8), temporary, prefixes);
      const [first, second] = associations(reply);
      expect([first, statusIn(second ?? [])]).to.deep.equal([[GIVEN], NO_ADDRESSES]);
      expect([told(reply, 4)?.slice(0, 8), statusIn(within(told(reply, 4) as string, 4))]).to.deep.equal(['00000008', NO_ADDRESSES]);
      expect([told(reply, 25)?.slice(0, 8), statusIn(within(told(reply, 25) as string))]).to.deep.equal(['00000009', NO_PREFIXES]);
    }
  });

  it('RFC 8415 §18.3.3/1: Confirm of the address', () => {
    const reply = ask(CONFIRM, ME, iaNa(7, iaAddress(GUEST)));
    expect([reply.type, reply.options.map(({ code }) => code), statusIn(reply.options)]).to.deep.equal([REPLY, [2, 1, 13], 0]);
  });

  it('RFC 8415 §18.3.3/2: Confirm of others', () => {
    for (const addresses of [[OTHER], [ELSEWHERE], [GUEST, ELSEWHERE]]) {
      const reply = ask(CONFIRM, ME, iaNa(7, ...addresses.map((address) => iaAddress(address))));
      expect(statusIn(reply.options), addresses.join()).to.equal(NOT_ON_LINK);
    }
    expect(statusIn(ask(CONFIRM, ME, iaNa(7, iaAddress(GUEST)), [4, [...word(8), 0, 5, 0, 24, ...iaAddress(OTHER)[1]]]).options)).to.equal(
      NOT_ON_LINK,
    );
  });

  it('RFC 8415 §18.3.3/3: Confirm of nothing', () => expect(isSilent(CONFIRM, ME, iaNa(7))).to.equal(true));

  it('RFC 8415 §18.3.4/1, §18.3.4/2, §18.3.5: Renew and Rebind', () => {
    for (const [type, options] of [
      [RENEW, [ME, YOU]],
      [REBIND, [ME]],
    ] as [number, Option[]][]) {
      const inside = (...addresses: string[]): unknown =>
        associations(ask(type, ...options, iaNa(7, ...addresses.map((address) => iaAddress(address)))));
      expect(inside(GUEST), `type ${type}`).to.deep.equal([[GIVEN]]);
      expect(inside(), `type ${type}`).to.deep.equal([[GIVEN]]);
      expect(inside(OTHER, GUEST, ELSEWHERE)).to.deep.equal([[GIVEN, lease(OTHER, '00000000'), lease(ELSEWHERE, '00000000')]]);
    }
  });

  it('RFC 8415 §18.3.4/3, §18.3.5: of other associations nothing is known', () => {
    const reply = ask(RENEW, ME, YOU, iaNa(7, iaAddress(GUEST)), iaNa(8), temporary, prefixes);
    expect(statusIn(associations(reply)[1] ?? [])).to.equal(NO_BINDING);
    expect(statusIn(within(told(reply, 4) as string, 4))).to.equal(NO_BINDING);
    expect(statusIn(within(told(ask(REBIND, ME, prefixes), 25) as string))).to.equal(NO_BINDING);
  });

  it('RFC 8415 §18.3.6/1, §18.3.6/2: Information-request', () => {
    const anonymous = ask(INFORMATION);
    expect([anonymous.type, anonymous.options.map(({ code }) => code)]).to.deep.equal([REPLY, [2, 23, 24]]);
    expect(ask(INFORMATION, ME).options.map(({ code }) => code)).to.deep.equal([2, 1, 23, 24]);
  });

  it('RFC 8415 §18.3.7/1, §18.3.8: Release and Decline have an answer, and the address remains the guest’s', () => {
    for (const type of [RELEASE, DECLINE]) {
      const one = link();
      const reply = one.ask({ type, options: [ME, YOU, iaNa(7, iaAddress(GUEST))] });
      expect([reply.type, reply.options.map(({ code }) => code), statusIn(reply.options)]).to.deep.equal([REPLY, [2, 1, 13], 0]);
      expect(associations(one.ask({ type: SOLICIT, options: [ME, iaNa(9)] }))).to.deep.equal([[GIVEN]]);
    }
  });

  it('RFC 8415 §18.3.7/2: what was never given', () => {
    const reply = ask(RELEASE, ME, YOU, iaNa(7, iaAddress(GUEST)), iaNa(8, iaAddress(OTHER)), prefixes);
    expect(statusIn(reply.options)).to.equal(0);
    expect(associations(reply).map(statusIn)).to.deep.equal([NO_BINDING]);
    expect(statusIn(within(told(reply, 25) as string))).to.equal(NO_BINDING);
  });

  it('RFC 8415 §18.4: what was sent to us alone', () => {
    for (const type of [REQUEST, RENEW, RELEASE, DECLINE]) {
      const message: ClientMessage = { type, options: [ME, YOU, iaNa(7, iaAddress(GUEST))] };
      const reply = link().ask(message, undefined, 'fe80::1');
      expect([reply.type, reply.options.map(({ code }) => code), statusIn(reply.options)]).to.deep.equal([
        REPLY,
        [2, 1, 13],
        USE_MULTICAST,
      ]);
    }
  });
});

describe('RFC 8415: what is in a reply', () => {
  it('RFC 8415 §18.3.10, §11.1, §11.4: identifiers', () => {
    for (const length of [3, 10, 130]) {
      const duid = Array.from({ length }, (_, index) => index + 100);
      const reply = link().ask({ type: SOLICIT, options: [[1, duid], iaNa(7)] });
      expect([told(reply, 2), told(reply, 1)]).to.deep.equal([hex(SERVER_DUID), hex(duid)]);
    }
    for (const length of [0, 2, 131, 200])
      expect(isSilent(SOLICIT, [1, new Uint8Array(length)], iaNa(7)), `${length} bytes`).to.equal(true);
  });

  it('RFC 8415 §18.3.9, §7.2: where it goes', () => {
    const { to, mac } = link().ask({ type: SOLICIT, options: [ME] }, 'fe80::abcd');
    expect([to, mac]).to.deep.equal(['fe80::abcd', '020000000007']);
  });

  it('RFC 8415 §21.7: what was asked for', () => {
    const codes = (...options: Option[]): number[] =>
      ask(SOLICIT, ME, ...options)
        .options.map(({ code }) => code)
        .slice(3);
    expect(codes()).to.deep.equal([23, 24]);
    expect(codes([6, [0, 24]])).to.deep.equal([24]);
    expect(codes([6, [0, 31, 0, 23]])).to.deep.equal([23]);
    expect(codes([6, []])).to.deep.equal([]);
  });

  it('RFC 8415 §21.23: the time of refreshing', () => {
    const seconds = Number.parseInt(told(ask(INFORMATION, [6, [0, 32]]), 32) ?? '', 16);
    expect(seconds).to.be.within(600, 86_400);
    expect(told(ask(INFORMATION), 32)).to.equal(undefined);
    expect(told(ask(SOLICIT, ME, iaNa(7), [6, [0, 32]]), 32)).to.equal(undefined);
  });
});
