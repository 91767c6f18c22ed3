/** The DHCPv6 server's replies: what is in them, and what gets none. The rules of the standards are in test/rfc. */
import { expect } from 'chai';
import fc from 'fast-check';
import { LogLevel, MessageId } from '../../../shared/messages.ts';
import { formatAddress, parseAddress } from '../../../shared/addresses.ts';
import { ascii, hex } from '../../support/dhcp_client.ts';
import {
  CLIENT,
  CLIENT_DUID,
  Dhcpv6Link,
  FOREVER,
  GUEST,
  iaAddress,
  iaNa,
  ip6,
  ME,
  type Option,
  optionList,
  SERVER_DUID,
  statusIn,
  told,
  within,
  word,
  YOU,
} from '../../support/dhcpv6_client.ts';
import { addressGuest } from '../../../worker/flow/observed.ts';
import { key, KEY_GUEST } from '../../../worker/flow/table.ts';
import { buildDatagram } from '../../support/guest_frame.ts';
import { ENDS6 } from '../../support/workbench.ts';

const SOLICIT = 1;
const REQUEST = 3;
const RENEW = 5;
const REBIND = 6;
const GIVEN = `${hex(ip6(GUEST))}${FOREVER}${FOREVER}`;
const LEASE = `00000007${FOREVER}${FOREVER}00050018${GIVEN}`;

describe('worker/local/dhcpv6', () => {
  it('offers the guest’s address, byte for byte', () => {
    const link = new Dhcpv6Link({
      servers: ['192.0.2.53', '2001:db8::53', '2001:db8::54'],
      search: ['example.org', 'a.example.org'],
      fqdn: 'guest.example.org',
    });
    expect(link.ask({ type: SOLICIT, options: [ME, iaNa(7), [39, [1]]] })).to.deep.equal({
      mac: hex(ENDS6.guestMac),
      to: CLIENT,
      type: 2,
      length: 48 + 4 + 14 + 22 + 5 + 44 + 36 + 24 + 32,
      options: [
        { code: 2, value: hex(SERVER_DUID) },
        { code: 1, value: hex(CLIENT_DUID) },
        { code: 7, value: 'ff' },
        { code: 3, value: LEASE },
        { code: 23, value: hex([...ip6('2001:db8::53'), ...ip6('2001:db8::54')]) },
        { code: 39, value: `06${hex([5, ...ascii('guest'), 7, ...ascii('example'), 3, ...ascii('org'), 0])}` },
        { code: 24, value: hex([7, ...ascii('example'), 3, ...ascii('org'), 0, 1, 97, 7, ...ascii('example'), 3, ...ascii('org'), 0]) },
      ],
    });
  });

  it('has a client ask again soon when its address may change, which is its own for ever all the same', () => {
    const [lease] = new Dhcpv6Link({ renewal: 300 }).ask({ type: SOLICIT, options: [ME, iaNa(7)] }).options.slice(-1);
    expect(lease?.value).to.equal(`000000070000012c000001e000050018${GIVEN}`);
  });

  it('deprecates what it gave itself until the host got another address, for two hours that run down', () => {
    const link = new Dhcpv6Link();
    link.change({ address: '2001:db8:5::2' });
    const renewed = (): unknown =>
      within(told(link.ask({ type: RENEW, options: [ME, YOU, iaNa(7, iaAddress(GUEST), iaAddress('2001:db8::77'))] }), 3) as string).map(
        ({ value }) => [formatAddress(Uint8Array.from(Buffer.from(value.slice(0, 32), 'hex'))), value.slice(32)],
      );
    const given = ['2001:db8:5::2', FOREVER + FOREVER];
    const lifetimes = (valid: number): string => hex([...word(0), ...word(valid)]);
    expect(renewed()).to.deep.equal([given, [GUEST, lifetimes(7200)], ['2001:db8::77', lifetimes(0)]]);
    link.bench.advance(7_000_000);
    expect(renewed()).to.deep.equal([given, [GUEST, lifetimes(200)], ['2001:db8::77', lifetimes(0)]]);
    link.bench.advance(200_000);
    expect(renewed()).to.deep.equal([given, [GUEST, lifetimes(0)], ['2001:db8::77', lifetimes(0)]]);
    link.change({});
    expect(renewed()).to.deep.equal([
      [GUEST, FOREVER + FOREVER],
      ['2001:db8::77', lifetimes(0)],
    ]);
  });

  it('gives it', () => {
    for (const type of [REQUEST, RENEW]) {
      const reply = new Dhcpv6Link().ask({ type, options: [ME, YOU, iaNa(7, iaAddress(GUEST))] });
      expect(reply.type).to.equal(7);
      expect(reply.options.map(({ code }) => code)).to.deep.equal([2, 1, 3]);
      expect(told(reply, 3)).to.equal(LEASE);
    }
  });

  it('tells what is new from the next reply on', () => {
    const link = new Dhcpv6Link({ servers: ['2001:db8::53'] });
    const servers = (): string | undefined => told(link.ask({ type: SOLICIT, options: [ME] }), 23);
    expect(servers()).to.equal(hex(ip6('2001:db8::53')));
    link.change({ servers: ['2001:db8::54'], address: '2001:db8::9' });
    expect(servers()).to.equal(hex(ip6('2001:db8::54')));
    expect(within(told(link.ask({ type: SOLICIT, options: [ME, iaNa(1)] }), 3) as string)[0]?.value).to.match(/^20010db8.*0009f/);
  });

  it('is silent when it is off, and the datagram goes nowhere', () => {
    const link = new Dhcpv6Link({ enabled: false });
    expect(link.send({ type: SOLICIT, options: [ME, iaNa(7)] })).to.equal(null);
    expect(link.bench.flows()).to.equal(0);
    expect(link.bench.counter('frames_not_served')).to.equal(1);
  });

  it('works where UDP is not served, and goes with IPv6', () => {
    const solicit = { type: SOLICIT, options: [ME, iaNa(7)] };
    expect(new Dhcpv6Link({}, { protocols: { udp: false } }).send(solicit)).to.not.equal(null);
    expect(new Dhcpv6Link({}, { protocols: { ipv6: false } }).send(solicit)).to.equal(null);
  });

  it('answers to where the message came from, but for addresses that can’t be the guest’s', () => {
    const solicit = { type: SOLICIT, options: [ME, iaNa(7)] };
    expect(new Dhcpv6Link().ask(solicit, '2001:db8::77').to).to.equal('2001:db8::77');
    for (const source of ['::', 'fe80::1']) expect(new Dhcpv6Link().send(solicit, source), source).to.equal(null);
  });

  it('gives the one address once, however many associations there are', () => {
    const many = Array.from({ length: 50 }, (_, id) => iaNa(id + 1));
    const { options, length } = new Dhcpv6Link({ servers: ['2001:db8::53'] }).ask({ type: SOLICIT, options: [ME, ...many] });
    expect(length).to.be.at.most(1500);
    const [first, ...others] = options.filter(({ code }) => code === 3).map(({ value }) => within(value));
    expect(first).to.deep.equal([{ code: 5, value: GIVEN }]);
    expect(others.map(statusIn)).to.deep.equal(others.map(() => 2));
    expect(others).to.have.length.above(5);
  });

  it('says of an association without an address nothing but why', () => {
    const one = new Dhcpv6Link();
    one.ask({ type: SOLICIT, options: [ME, ...Array.from({ length: 30 }, (_, id) => iaNa(id, iaAddress('ffff::1')))] });
    const { options } = one.ask({ type: SOLICIT, options: [ME, [25, [...word(9), ...word(77), ...word(77)]]] });
    expect(options.find(({ code }) => code === 25)?.value.slice(0, 24)).to.equal(`00000009${'0'.repeat(16)}`);
  });

  it('ends as many other addresses as there is room for', () => {
    const others = Array.from({ length: 100 }, (_, index) => iaAddress(`2001:db8::1:${index + 1}`));
    const reply = new Dhcpv6Link().ask({ type: RENEW, options: [ME, YOU, iaNa(7, ...others)] });
    expect(reply.length).to.be.within(1450, 1500);
    const [first, ...ended] = within(told(reply, 3) as string);
    expect(first?.value).to.equal(GIVEN);
    for (const { code, value } of ended) expect([code, value.slice(32)]).to.deep.equal([5, '0'.repeat(16)]);
  });

  it('gives it though others stand before, however many', () => {
    const prefixes = Array.from({ length: 50 }, (_, id): Option => [25, [...word(id), ...word(0), ...word(0)]]);
    const reply = new Dhcpv6Link().ask({ type: SOLICIT, options: [ME, ...prefixes, iaNa(7)] });
    expect(told(reply, 3)).to.equal(LEASE);
    expect(reply.length).to.be.at.most(1500);
  });

  it('fits, whatever the MTU and the identifier are, and however much there is to tell', () => {
    const search = Array.from({ length: 6 }, (_, index) => `${'x'.repeat(60)}.${'y'.repeat(60)}.${'z'.repeat(60)}.${index}.example`);
    const facts = {
      search,
      servers: ['2001:db8::53', '2001:db8::54', '2001:db8::55'],
      fqdn: `${'f'.repeat(63)}.${'g'.repeat(63)}.example`,
    };
    for (const mtu of [1280, 1400, 1500, 65_520])
      for (const bytes of [0, 1, 2, 3, 130, 131, 255, 256, 1000]) {
        const duid: Option = [1, new Uint8Array(bytes).fill(7)];
        const link = new Dhcpv6Link(facts, { mtu });
        const reply = link.send({ type: SOLICIT, options: [duid, [39, [1]], ...Array.from({ length: 4 }, (_, id) => iaNa(id))] });
        expect(reply !== null, `${bytes} bytes`).to.equal(bytes >= 3 && bytes <= 130);
        if (reply === null) continue;
        expect(reply.length).to.be.at.most(Math.min(mtu, 1500));
        expect(reply.options.map(({ code }) => code)).to.include.members([1, 2, 3, 23, 24, 39]);
      }
  });

  it('sends one whole packet over a link that is too small for IPv6, in fragments', () => {
    const link = new Dhcpv6Link({}, { mtu: 68 });
    expect(() => link.send({ type: SOLICIT, options: [[1, new Uint8Array(130)], iaNa(7)] })).to.throw(/replies to one/);
  });

  it('tells of it, at most five times in ten seconds', () => {
    const link = new Dhcpv6Link({}, { logLevel: LogLevel.INFO });
    const logged = (): number[][] => link.bench.kernel.channel.logged(MessageId.DHCPV6) as number[][];
    const words = [0x20010db8, 0, 0, 2];
    link.ask({ type: SOLICIT, options: [ME, iaNa(7)] });
    expect(logged()).to.deep.equal([[0x10200, 7, ...words]]);
    for (let count = 0; count < 100; count++) link.ask({ type: SOLICIT, options: [ME, iaNa(7)] });
    expect(logged()).to.have.length(5);
    link.bench.advance(10_000);
    link.ask({ type: REQUEST, options: [ME, YOU, iaNa(7, iaAddress('2001:db9::1'))] });
    expect(logged().at(-1)).to.deep.equal([0x20200, 7, ...words]);
    expect(formatAddress(parseAddress(GUEST) as Uint8Array)).to.equal(GUEST);
  });

  it('tells of a renewal only who wants to know more', () => {
    for (const logLevel of [LogLevel.INFO, LogLevel.DEBUG]) {
      const link = new Dhcpv6Link({}, { logLevel });
      link.ask({ type: RENEW, options: [ME, YOU, iaNa(7, iaAddress(GUEST))] });
      link.ask({ type: REBIND, options: [ME, iaNa(7, iaAddress(GUEST))] });
      expect(link.bench.kernel.channel.logged(MessageId.DHCPV6)).to.have.length(logLevel === LogLevel.INFO ? 0 : 2);
    }
  });

  it('what comes to the guest goes to the address that it has got, before it has spoken from there', () => {
    const reached = (): string => {
      expect(addressGuest(6, false)).to.equal(true);
      return formatAddress(Uint8Array.from([0, 1, 2, 3].flatMap((word_) => word(key[KEY_GUEST + word_]!))));
    };
    const [mine, next] = ['2001:db8::77', '2001:db8:0:9::2'];
    const link = new Dhcpv6Link();
    const speak = (): void => {
      link.bench.deliver(buildDatagram({ ...ENDS6, guest: Uint8Array.from(ip6(mine)) }, 5000, 5000, new Uint8Array(1)));
      link.bench.kernel.tap.toGuest.length = 0;
      expect(reached()).to.equal(mine);
    };
    const reachedAfter = (type: number, ...options: Option[]): string => {
      speak();
      link.ask({ type, options });
      return reached();
    };
    expect(reachedAfter(SOLICIT, ME, iaNa(7)), 'an offer').to.equal(mine);
    expect(reachedAfter(RENEW, ME, YOU, iaNa(7, iaAddress(GUEST))), 'a renewal').to.equal(mine);
    expect(reachedAfter(REQUEST, ME, YOU, iaNa(7))).to.equal(GUEST);
    expect(reachedAfter(SOLICIT, ME, iaNa(7), [14, []]), 'by rapid commit').to.equal(GUEST);
    link.change({ address: next });
    expect(reachedAfter(RENEW, ME, YOU, iaNa(7, iaAddress(GUEST))), 'another one').to.equal(next);
    expect(reachedAfter(REBIND, ME, iaNa(7, iaAddress(next))), 'none other').to.equal(mine);
  });

  it('whatever the options are: no reply, or one that is whole', () => {
    const link = new Dhcpv6Link({ servers: ['2001:db8::53'], search: ['example.org'], fqdn: 'guest.example.org' });
    const option = fc.tuple(fc.constantFrom(1, 2, 3, 4, 5, 6, 8, 13, 14, 16, 20, 25, 26, 39, 65_535), fc.uint8Array({ maxLength: 60 }));
    const known = fc.constantFrom<Option>(ME, YOU, iaNa(1), iaNa(2, iaAddress(GUEST)), [14, []], [4, word(9)], [25, new Uint8Array(12)]);
    const begun = fc.constantFrom<Option[]>([], [ME], [ME, YOU]);
    const rest = fc.array(fc.oneof({ weight: 3, arbitrary: known }, option), { maxLength: 12 });
    const options = fc.tuple(begun, rest).map(([first, others]) => [...first, ...others]);
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 400 }).map((raw) => [...raw]),
      options.map((list) => optionList(...list)),
      fc.tuple(options, fc.nat(300)).map(([list, cut]) => optionList(...list).slice(0, cut)),
    );
    let replies = 0;
    fc.assert(
      fc.property(fc.nat(14), bytes, fc.constantFrom(undefined, 'fe80::1', 'ff05::1:3'), (type, raw, to) => {
        const reply = link.send({ type, raw }, undefined, to);
        if (reply === null) return;
        replies++;
        expect(reply.length).to.be.at.most(1500);
        for (const { code, value } of reply.options) if (code === 3 || code === 25) within(value);
      }),
      { numRuns: 3000 },
    );
    expect(replies).to.be.above(20);
  });
});
