import { expect } from 'chai';
import fc from 'fast-check';
import { formatAddress } from '../../shared/addresses.ts';
import {
  buildDatagram,
  buildPayload,
  MessageType,
  NetlinkDialogue,
  NetlinkError,
  parseAttributes,
  parseMessages,
  textAttribute,
  uint32Attribute,
} from '../../supervisor/host/netlink.ts';
import {
  addressDumpHeader,
  changeLink,
  copyRoute,
  defaultRoute,
  linkRequest,
  parseInterfaceAddress,
  parseLink,
  parseRoute,
  putAddress,
  RouteAttribute,
} from '../../supervisor/host/rtnetlink.ts';
import { acknowledgement, answer, bytesOf, FakeKernel, joined, linkPayload, routePayload } from '../support/fake_rtnetlink.ts';

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));
}

const message = (type: number, payload: Uint8Array) => ({ type, flags: 0, sequence: 1, payload });

describe('supervisor/host/netlink: codec', () => {
  it('writes what ip(8) sends for `ip link set lo up` (read with strace)', () => {
    const { type, flags, payload } = changeLink(1, { flags: 1, change: 1 });
    expect(Buffer.from(buildDatagram([{ type: 16, flags, payload }], 5, 0x11223344)).toString('hex')).to.equal(
      '20000000' + '1000' + '0500' + '44332211' + '00000000' + '0000000001000000' + '0100000001000000',
    );
    expect(type).to.equal(MessageType.SETLINK);
  });

  it('reads addresses of a dump (captured on Linux 6.18)', () => {
    const captured = hex(`
      500000001400020001000000d5180000 0218800002000000 08000100c6336402 08000200c6336402 090003006574683100000000
      080008008000000014000600fffffffffffffffff4840300f4840300
      580000001400020001000000d5180000 0218800003000000 08000100c0000202 08000200c0000202 08000400c00002ff 090003006574683000000000
      080008008000000014000600fffffffffffffffff4840300f4840300`);
    const [plain, broadcast] = parseMessages(captured).map(parseInterfaceAddress);
    expect(plain).to.include({ family: 2, index: 2, prefixLength: 24, scope: 0, flags: 0x80, broadcast: null });
    expect(formatAddress(plain?.address as Uint8Array)).to.equal('198.51.100.2');
    expect(broadcast?.index).to.equal(3);
    expect(formatAddress(broadcast?.broadcast as Uint8Array)).to.equal('192.0.2.255');
  });

  it('reads routes of a dump (captured on Linux 6.18)', () => {
    const captured = hex(`
      480000001800020001000000d5180000 02000000fe03000100000000 08000f00fe000000 24000900
      1000000403000000 08000500c0000201 1000000202000000 08000500c6336401
      3c0000001800020001000000d5180000 02180000fe02fd0100000000 08000f00fe000000 08000100c0000200 08000700c0000202 0800040003000000
      740000001800020001000000d5180000 0a080000ff02000500000000 08000f00ff000000 14000100ff000000000000000000000000000000 0800060000010000
      0800040002000000 24000c000000000000000000000000000000000000000000000000000000000000000000 0500140000000000`);
    const [multipath, connected, multicast] = parseMessages(captured).map(parseRoute);
    expect(multipath).to.include({ family: 2, destinationLength: 0, destination: null, table: 254, type: 1 });
    expect(multipath?.hops.map(({ index, weight, gateway }) => [index, weight, formatAddress(gateway as Uint8Array)])).to.eql([
      [3, 5, '192.0.2.1'],
      [2, 3, '198.51.100.1'],
    ]);
    expect(connected?.hops).to.eql([{ index: 3, weight: 1, gateway: null }]);
    expect(formatAddress(connected?.destination as Uint8Array)).to.equal('192.0.2.0');
    expect(multicast).to.include({ family: 10, table: 255, type: 5, destinationLength: 8 });
  });

  it('reads back messages and attributes that it wrote', () => {
    const attribute = fc.record({ type: fc.integer({ min: 0, max: 0x3fff }), data: fc.uint8Array({ maxLength: 40 }) });
    const body = fc.record({ header: fc.uint8Array({ minLength: 12, maxLength: 12 }), attributes: fc.array(attribute, { maxLength: 6 }) });
    fc.assert(
      fc.property(fc.array(body, { minLength: 1, maxLength: 5 }), (bodies) => {
        const requests = bodies.map(({ header, attributes }, order) => ({
          type: order + 16,
          flags: 0,
          payload: buildPayload(header, attributes),
        }));
        const messages = parseMessages(buildDatagram(requests, 1, 7));
        expect(messages.map(({ type, sequence }) => [type, sequence])).to.eql(requests.map(({ type }, order) => [type, 7 + order]));
        for (const [order, { payload }] of messages.entries()) {
          expect(parseAttributes(payload, 12).map(({ type, data }) => [type, [...data]])).to.eql(
            bodies[order]?.attributes.map(({ type, data }) => [type, [...data]]),
          );
        }
      }),
    );
  });

  it('ends, with a NetlinkError or a result, on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        for (const parse of [
          () => parseMessages(bytes),
          () => parseAttributes(bytes, 0),
          () => parseLink(message(16, bytes)),
          () => parseInterfaceAddress(message(20, bytes)),
          () => parseRoute(message(24, bytes)),
        ]) {
          try {
            parse();
          } catch (error) {
            expect(error).to.be.instanceOf(NetlinkError);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });

  for (const [what, bytes] of [
    ['a message of length 0', '00000000 1400 0200 01000000 00000000'],
    ['a message shorter than its header', '0f000000 1400 0200 01000000 00000000'],
    ['a message longer than the datagram', '14000000 1400 0200 01000000 00000000'],
    ['half a header', '10000000 1400'],
  ] as const) {
    it(`refuses ${what}`, () => expect(() => parseMessages(hex(bytes))).to.throw(NetlinkError));
  }

  for (const [what, bytes] of [
    ['length 0', '00000100 00000000'],
    ['length 3', '03000100'],
    ['9 in 8 bytes', '09000100 00000000'],
  ] as const) {
    it(`refuses an attribute of ${what}`, () => expect(() => parseAttributes(hex(bytes), 0)).to.throw(NetlinkError));
  }
});

describe('supervisor/host/rtnetlink: routes', () => {
  const attributesOf = (payload: Uint8Array) => new Map(parseAttributes(payload, 12).map(({ type, data }) => [type, data]));

  it('copies a route to another interface, without preferred source and next-hop object', () => {
    const original = routePayload({
      to: '10.0.0.0',
      length: 8,
      hops: [{ index: 2, gateway: '192.0.2.1' }],
      prefsrc: '192.0.2.2',
      flags: 0x10,
    });
    const withObject = buildPayload(original.subarray(0, 12), [...parseAttributes(original, 12), uint32Attribute(RouteAttribute.NH_ID, 9)]);
    const copy = parseRoute(message(24, copyRoute(parseRoute(message(24, withObject)) as never, 7).payload));
    expect(copy).to.include({ destinationLength: 8, table: 254, flags: 0 });
    expect(copy?.hops.map(({ index, gateway }) => [index, formatAddress(gateway as Uint8Array)])).to.eql([[7, '192.0.2.1']]);
    expect(copy?.attributes.some(({ type }) => type === RouteAttribute.PREFSRC || type === RouteAttribute.NH_ID)).to.equal(false);
  });

  it('redirects every hop of a multipath route', () => {
    const hops = [
      { index: 2, gateway: '192.0.2.1', weight: 5 },
      { index: 2, gateway: '192.0.2.3', weight: 256 },
    ];
    const copy = parseRoute(message(24, copyRoute(parseRoute(message(24, routePayload({ hops }))) as never, 9).payload));
    expect(copy?.hops.map(({ index, weight, gateway }) => [index, weight, formatAddress(gateway as Uint8Array)])).to.eql([
      [9, 5, '192.0.2.1'],
      [9, 256, '192.0.2.3'],
    ]);
  });

  it('ends on a next hop of length 0', () => {
    const payload = buildPayload(routePayload({ hops: [] }).subarray(0, 12), [{ type: RouteAttribute.MULTIPATH, data: new Uint8Array(8) }]);
    expect(() => parseRoute(message(24, payload))).to.throw(NetlinkError);
  });

  it('writes a default route, on link where asked', () => {
    const { payload } = defaultRoute(bytesOf('fe80::1'), 3, true);
    expect([...payload.subarray(0, 12)]).to.eql([10, 0, 0, 0, 254, 3, 0, 1, 4, 0, 0, 0]);
    expect(attributesOf(payload).get(5)).to.have.length(16);
    expect(defaultRoute(bytesOf('192.0.2.1'), 3, false).payload[8]).to.equal(0);
  });

  it('writes an address with its flags, and asks for a link by name', () => {
    const address = bytesOf('2001:db8::2');
    const { payload } = putAddress({ index: 3, address, peer: address, broadcast: null, prefixLength: 64, scope: 0, flags: 0x202 }, 0);
    expect(parseInterfaceAddress(message(20, payload))).to.include({ family: 10, index: 3, prefixLength: 64, flags: 0x202 });
    expect(parseAttributes(linkRequest('eth0').payload, 16)).to.eql([textAttribute(3, 'eth0')]);
  });
});

describe('supervisor/host/netlink: dialogue', () => {
  it('sends a batch as one datagram and gives the errors in order', () => {
    const kernel = new FakeKernel();
    kernel.verdict = ({ sequence }) => (sequence === 2 ? 17 : 0);
    const lo = changeLink(1, { flags: 1, change: 1 });
    expect(new NetlinkDialogue(kernel, 5).execute([lo, lo, lo])).to.eql([0, 17, 0]);
    expect(kernel.datagrams).to.equal(1);
  });

  it('splits a batch whose answers would not fit in the socket', () => {
    const kernel = new FakeKernel();
    kernel.verdict = ({ sequence }) => sequence;
    const results = new NetlinkDialogue(kernel, 5).execute(Array.from({ length: 150 }, () => changeLink(1, {})));
    expect(results).to.eql(Array.from({ length: 150 }, (_, at) => at + 1));
    expect(kernel.datagrams).to.equal(3);
  });

  it('skips answers to a question that was given up', () => {
    const kernel = new FakeKernel({ links: [{ index: 2, name: 'eth0' }] });
    kernel.queue.push(acknowledgement(99, 1), answer(MessageType.NEWLINK, 77, linkPayload({ index: 9, name: 'old' })));
    expect(parseLink(new NetlinkDialogue(kernel, 5).get(linkRequest(2))).name).to.equal('eth0');
  });

  it("throws the kernel's refusal of a question, a dump and a socket", () => {
    const dialogue = new NetlinkDialogue(new FakeKernel(), 5);
    expect(() => dialogue.get(linkRequest('nope')))
      .to.throw(NetlinkError)
      .with.property('errno', 19);
    const refusing = { send: () => 1, receive: () => acknowledgement(1, 95), waitReadable: () => 1 };
    expect(() => new NetlinkDialogue(refusing, 5).dump(22, addressDumpHeader(0)))
      .to.throw(NetlinkError)
      .with.property('errno', 95);
    const broken = { send: () => -9, receive: () => null, waitReadable: () => 0 };
    expect(() => new NetlinkDialogue(broken, 5).dump(22, addressDumpHeader(0)))
      .to.throw(NetlinkError)
      .with.property('errno', 9);
    const silent = { send: () => 1, receive: () => null, waitReadable: () => 0 };
    expect(() => new NetlinkDialogue(silent, 5).execute([changeLink(1, {})]))
      .to.throw(NetlinkError)
      .with.property('errno', 110);
  });

  it('asks again when the table changed during a dump', () => {
    let dumps = 0;
    let queue: Uint8Array[] = [];
    const kernel = {
      send: (_fd: number, bytes: Uint8Array) => {
        const sequence = parseMessages(bytes)[0]?.sequence ?? 0;
        dumps++;
        const flags = dumps === 1 ? 0x12 : 2;
        queue = [
          joined([
            answer(16, sequence, linkPayload({ index: dumps, name: 'x' }), flags),
            answer(MessageType.DONE, sequence, new Uint8Array(4), flags),
          ]),
        ];
        return bytes.length;
      },
      receive: () => queue.shift() ?? null,
      waitReadable: () => 0,
    };
    const links = new NetlinkDialogue(kernel, 5).dump(18, new Uint8Array(16)).map(parseLink);
    expect([dumps, links.map(({ index }) => index)]).to.eql([2, [2]]);
  });
});
