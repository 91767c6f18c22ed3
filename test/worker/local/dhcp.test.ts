/** The DHCP server's replies: what is in them, and what gets none. The rules of the standards are in test/rfc. */
import { expect } from 'chai';
import fc from 'fast-check';
import { LogLevel, MessageId } from '../../../shared/messages.ts';
import {
  ascii,
  BROADCAST,
  type ClientMessage,
  clientMessage,
  DhcpLink,
  GATEWAY,
  GUEST,
  hex,
  ip,
  type Option,
} from '../../support/dhcp_client.ts';
import { addressGuest } from '../../../worker/flow/observed.ts';
import { key, KEY_GUEST } from '../../../worker/flow/table.ts';
import { buildDatagram, withChecksum } from '../../support/guest_frame.ts';
import { ENDS4 } from '../../support/workbench.ts';

const DISCOVER: Option = [53, [1]];
const REQUEST: Option = [53, [3]];
const MAC = hex(ENDS4.guestMac);

describe('worker/local/dhcp', () => {
  it('offers the guest’s address, byte for byte', () => {
    const link = new DhcpLink({ mtu: 1500, hostname: 'guest', servers: ['192.0.2.53', '2001:db8::53'], search: ['example.org'] });
    const reply = link.ask({ options: [DISCOVER] });
    expect({ ...reply, values: Object.fromEntries(reply.values) }).to.deep.equal({
      mac: MAC,
      from: GATEWAY,
      to: GUEST,
      op: 2,
      hops: 0,
      xid: 0x12345678,
      secs: 0,
      flags: 0,
      ciaddr: '0.0.0.0',
      yiaddr: GUEST,
      siaddr: '0.0.0.0',
      giaddr: '0.0.0.0',
      chaddr: `${MAC}${'00'.repeat(10)}`,
      length: 300,
      codes: [53, 54, 51, 1, 3, 6, 26, 12, 119],
      values: {
        53: '02',
        54: 'c0000201',
        51: 'ffffffff',
        1: 'ffffff00',
        3: 'c0000201',
        6: 'c0000235',
        26: '05dc',
        12: hex(ascii('guest')),
        119: '076578616d706c65036f726700',
      },
    });
  });

  it('acknowledges it', () => {
    const reply = new DhcpLink().ask({ options: [REQUEST, [50, ip(GUEST)], [54, ip(GATEWAY)]] });
    expect([reply.to, reply.yiaddr, reply.values.get(53), reply.values.get(51)]).to.deep.equal([GUEST, GUEST, '05', 'ffffffff']);
  });

  it('has a client ask again soon when its address may change, which has it for twelve times that', () => {
    const times = (renewal: number, message: ClientMessage): unknown[] => {
      const { values, codes } = new DhcpLink({ renewal }).ask(message);
      return [codes.filter((code) => [51, 58, 59].includes(code)), values.get(51), values.get(58), values.get(59)];
    };
    const discover = { options: [DISCOVER] };
    expect(times(300, discover)).to.deep.equal([[51, 58, 59], '00000e10', '0000012c', '00000c4e']);
    expect(times(30, discover)).to.deep.equal([[51, 58, 59], '00000168', '0000001e', '0000013b']);
    expect(times(0, discover)).to.deep.equal([[51], 'ffffffff', undefined, undefined]);
    expect(times(300, { options: [[53, [8]]], ciaddr: GUEST }), 'no lease').to.deep.equal([[], undefined, undefined, undefined]);
    expect(times(300, {}), 'BOOTP').to.deep.equal([[], undefined, undefined, undefined]);
  });

  it('refuses what the guest had once the host has another address, and offers that', () => {
    const link = new DhcpLink({ renewal: 300 });
    const renew = (address: string): unknown[] => {
      const { values, to, yiaddr } = link.ask({ ciaddr: address, options: [REQUEST] }, address, GATEWAY);
      return [values.get(53), to, yiaddr];
    };
    expect(renew(GUEST)).to.deep.equal(['05', GUEST, GUEST]);
    link.change({ address: '203.0.113.2', gateway: '203.0.113.1', renewal: 300 });
    expect(renew(GUEST)).to.deep.equal(['06', '255.255.255.255', '0.0.0.0']);
    const { values, yiaddr } = link.ask({ options: [DISCOVER] });
    expect([values.get(53), yiaddr, values.get(3)]).to.deep.equal(['02', '203.0.113.2', 'cb007101']);
    expect(renew('203.0.113.2')).to.deep.equal(['05', '203.0.113.2', '203.0.113.2']);
  });

  it('tells nothing that there is not', () => {
    expect(new DhcpLink().ask({ options: [DISCOVER] }).codes).to.deep.equal([53, 54, 51, 1, 3]);
    expect(new DhcpLink({ mtu: 67, search: ['no name'] }).ask({ options: [DISCOVER] }).codes).to.deep.equal([53, 54, 51, 1, 3]);
  });

  it('tells what is new from the next reply on', () => {
    const link = new DhcpLink({ servers: ['192.0.2.53'] });
    expect(link.ask({ options: [DISCOVER] }).values.get(6)).to.equal('c0000235');
    link.change({ servers: ['192.0.2.54', '192.0.2.55'] });
    expect(link.ask({ options: [DISCOVER] }).values.get(6)).to.equal('c0000236c0000237');
  });

  it('is silent when it is off, and the datagram goes nowhere', () => {
    const link = new DhcpLink({ enabled: false });
    expect(link.send({ options: [DISCOVER] })).to.equal(null);
    expect(link.bench.flows()).to.equal(0);
    expect(link.bench.counter('frames_not_served')).to.equal(1);
  });

  it('works where UDP is not served, and goes with IPv4', () => {
    const discover = { options: [DISCOVER] };
    expect(new DhcpLink({}, { protocols: { udp: false } }).send(discover)).to.not.equal(null);
    expect(new DhcpLink({}, { protocols: { ipv4: false } }).send(discover)).to.equal(null);
  });

  it('sends a reply in one piece, however small the MTU: a client without an address puts no fragments together', () => {
    for (const mtu of [0, 68, 300, 576]) expect(new DhcpLink({ mtu }, { mtu }).ask({ options: [DISCOVER] }).length).to.be.within(300, 548);
  });

  it('leaves nothing in a reply of what was in the buffer before', () => {
    const link = new DhcpLink({ hostname: 'x'.repeat(200) });
    link.ask({ options: [DISCOVER] });
    link.change({});
    const { codes } = link.ask({ options: [DISCOVER] });
    expect(codes).to.deep.equal([53, 54, 51, 1, 3]);
  });

  it('drops a message with a wrong checksum, and takes one without', () => {
    const ends = { ...ENDS4, guest: Uint8Array.from([0, 0, 0, 0]), far: Uint8Array.from(ip(BROADCAST)) };
    const frame = withChecksum(buildDatagram(ends, 68, 67, clientMessage({ options: [DISCOVER] })), ends);
    const link = new DhcpLink();
    const answered = (changed: Uint8Array): boolean => {
      link.bench.deliver(changed);
      return link.bench.kernel.tap.toGuest.splice(0).length === 1;
    };
    expect(answered(frame)).to.equal(true);
    const spoiled = frame.slice();
    spoiled[50] = (spoiled[50] as number) ^ 1;
    expect(answered(spoiled)).to.equal(false);
    spoiled.fill(0, 10 + 14 + 20 + 6, 10 + 14 + 20 + 8);
    expect(answered(spoiled)).to.equal(true);
  });

  it('tells of it, at most five times in ten seconds', () => {
    const link = new DhcpLink({}, { logLevel: LogLevel.INFO });
    link.ask({ options: [DISCOVER] });
    const logged = (): unknown[] => link.bench.kernel.channel.logged(MessageId.DHCP);
    expect(logged()).to.deep.equal([[2, 0xc0000202 | 0, 0x0200, 7]]);
    for (let count = 0; count < 100; count++) link.ask({ options: [DISCOVER] });
    expect(logged()).to.have.length(5);
    link.bench.advance(10_000);
    link.ask({ options: [REQUEST] });
    expect(logged().at(-1)).to.deep.equal([5, 0xc0000202 | 0, 0x0200, 7]);
  });

  it('tells of a renewal only who wants to know more', () => {
    for (const logLevel of [LogLevel.INFO, LogLevel.DEBUG]) {
      const link = new DhcpLink({}, { logLevel });
      for (let count = 0; count < 5; count++) link.ask({ ciaddr: GUEST, options: [REQUEST] }, GUEST, GATEWAY);
      expect(link.bench.kernel.channel.logged(MessageId.DHCP)).to.have.length(logLevel === LogLevel.INFO ? 0 : 5);
      link.bench.advance(10_000);
      link.ask({ ciaddr: '192.0.2.99', options: [REQUEST] }, '192.0.2.99', GATEWAY);
      expect(link.bench.kernel.channel.logged(MessageId.DHCP).at(-1)?.[0], 'a refusal').to.equal(6);
    }
  });

  it('what comes to the guest goes to the address that it has got, before it has spoken from there', () => {
    const link = new DhcpLink();
    const reached = (): number => {
      expect(addressGuest(4, false)).to.equal(true);
      return key[KEY_GUEST + 3]! & 255;
    };
    const other: [string, string] = ['192.0.2.99', GATEWAY];
    link.send({ ciaddr: '192.0.2.99', options: [[53, [8]]] }, ...other);
    expect(reached(), 'an INFORM gives nothing').to.equal(99);
    link.ask({ ciaddr: '192.0.2.99', options: [REQUEST] }, ...other);
    link.ask({ options: [DISCOVER] });
    expect(reached(), 'nor a refusal or an offer').to.equal(99);
    link.ask({ options: [REQUEST, [50, ip(GUEST)], [54, ip(GATEWAY)]] });
    expect(reached()).to.equal(2);
    link.send({ options: [[53, [8]]] }, ...other);
    link.ask({ options: [DISCOVER, [80, []]] });
    expect(reached(), 'by rapid commit').to.equal(2);
    link.send({ options: [[53, [8]]] }, ...other);
    link.ask({ ciaddr: GUEST, options: [REQUEST] }, '192.0.2.99', GATEWAY);
    expect(reached(), 'a renewal is no news').to.equal(99);
  });

  it('whatever the options are: no reply, or one that is whole', () => {
    const link = new DhcpLink({
      mtu: 1500,
      hostname: 'guest',
      fqdn: 'guest.example.org',
      servers: ['192.0.2.53'],
      search: ['example.org', 'a.example.org'],
    });
    const option = fc.tuple(fc.constantFrom(0, 12, 50, 52, 53, 54, 55, 57, 61, 80, 81, 119, 121, 255), fc.uint8Array({ maxLength: 40 }));
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 400 }).map((raw) => [...raw]),
      fc
        .array(option, { maxLength: 12 })
        .map((options) => [53, 1, 1, ...options.flatMap(([code, value]) => [code, value.length, ...value])]),
    );
    const fields = fc.uint8Array({ maxLength: 128 });
    fc.assert(
      fc.property(bytes, fields, fc.integer({ min: 0, max: 0xffff }), (raw, file, flags) => {
        const reply = link.send({ raw, file, sname: file.subarray(0, 64), flags });
        if (reply !== null) expect(reply.length).to.be.within(300, 1472);
      }),
      { numRuns: 2000 },
    );
  });
});
