import { isIP, isIPv4, isIPv6 } from 'node:net';
import { expect } from 'chai';
import fc from 'fast-check';
import * as addresses from '../../shared/addresses.ts';

const { parseAddress, parseIPv4, parseIPv6, formatAddress, parseMac, formatMac, parseNetmask, formatNetmask } = addresses;

function must(text: string): Uint8Array {
  const address = parseAddress(text);
  if (address === null) throw new Error(`${text} was refused`);
  return address;
}

describe('shared/addresses: text to bytes', () => {
  it('reads IPv4 as an IPv4-mapped address', () => {
    expect([...must('192.0.2.1')]).to.eql([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1]);
  });

  it('reads all forms of RFC 4291 §2.2', () => {
    expect(formatAddress(must('2001:DB8:0:0:8:800:200C:417A'))).to.equal('2001:db8::8:800:200c:417a');
    expect([...must('::1')].slice(14)).to.eql([0, 1]);
    expect([...must('64:ff9b::192.0.2.33')].slice(12)).to.eql([192, 0, 2, 33]);
    expect([...must('1:2:3:4:5:6:192.0.2.33')].slice(10)).to.eql([0, 6, 192, 0, 2, 33]);
    expect([...must('1::')]).to.eql([0, 1, ...new Array(14).fill(0)]);
  });

  for (const text of [
    '',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '01.2.3.4',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1..2.3',
    '-1.2.3.4',
    '0x1.2.3.4',
    '1.2.3.4/8',
    '1e1.2.3.4',
    ':',
    ':::',
    '1:',
    ':1',
    '1:2',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    '::1::',
    '12345::',
    'g::',
    '1:2:3:4:5:6:7::8',
    '::1.2.3',
    '::1.2.3.4:5',
    '1.2.3.4::',
    '1:2:3:4:5:6:7:1.2.3.4',
    'fe80::1%eth0',
    '::1 ',
    '[::1]',
    '1:2:3:4::5:6:7:8',
  ]) {
    it(`refuses '${text}'`, () => {
      expect(parseAddress(text)).to.equal(null);
    });
  }

  it('agrees with the runtime about any text', () => {
    const near = fc.stringMatching(/^[0-9a-fA-F:.]{0,24}$/);
    fc.assert(
      fc.property(near, (text) => {
        expect(parseIPv4(text) !== null).to.equal(isIPv4(text));
        expect(parseIPv6(text) !== null).to.equal(isIPv6(text));
      }),
      { numRuns: 500 },
    );
  });

  it('reads back what it wrote, and what the runtime accepts', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.integer({ min: 0, max: 255 }), (bytes, sparse) => {
        for (let bit = 0; bit < 8; bit++) {
          if (sparse & (1 << bit)) bytes.fill(0, bit * 2, bit * 2 + 2);
        }
        const text = formatAddress(bytes);
        expect(isIP(text)).to.equal(addresses.familyOf(bytes));
        expect([...must(text)]).to.eql([...bytes]);
      }),
    );
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        expect(formatAddress(must(text))).to.equal(canonical(text));
      }),
    );
  });
});

function canonical(text: string): string {
  const inner = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  return inner.startsWith('::ffff:') && inner.split(':').length === 5 ? formatAddress(must(inner)) : inner;
}

describe('shared/addresses: canonical text (RFC 5952)', () => {
  for (const [from, to] of [
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'], // §4.2.3: the first of equal runs
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'], // §4.2.2: never one word
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'], // §4.2.3: the longest run
    ['2001:DB8::0A', '2001:db8::a'], // §4.1, §4.3
    ['::', '::'],
    ['::1', '::1'],
    ['fe80::', 'fe80::'],
    ['0:1::', '0:1::'],
    ['1:2:3:4:5:6:7:0', '1:2:3:4:5:6:7:0'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
  ] as const) {
    it(`${from} is ${to}`, () => {
      expect(formatAddress(must(from))).to.equal(to);
    });
  }
});

describe('shared/addresses: classes', () => {
  const classes: Readonly<Record<string, (address: Uint8Array) => boolean>> = {
    unspecified: addresses.isUnspecified,
    loopback: addresses.isLoopback,
    multicast: addresses.isMulticast,
    broadcast: addresses.isLimitedBroadcast,
    linkLocal: addresses.isLinkLocal,
    compatible: addresses.isIPv4Compatible,
  };
  for (const [text, expected] of Object.entries({
    '0.0.0.0': 'unspecified',
    '::': 'unspecified',
    '127.0.0.1': 'loopback',
    '127.255.0.9': 'loopback',
    '::1': 'loopback',
    '224.0.0.1': 'multicast',
    '239.255.255.255': 'multicast',
    'ff02::1': 'multicast',
    '255.255.255.255': 'broadcast',
    '169.254.2.1': 'linkLocal',
    'fe80::1': 'linkLocal',
    'febf::1': 'linkLocal',
    '::192.0.2.1': 'compatible',
    '10.0.0.1': '',
    '128.0.0.1': '',
    '223.255.255.255': '',
    '240.0.0.1': '',
    '255.255.255.254': '',
    '169.253.0.1': '',
    'fec0::1': '',
    '2001:db8::1': '',
    'fe00::1': '',
  })) {
    it(`${text} is ${expected || 'none of them'}`, () => {
      const found = Object.keys(classes).filter((name) => (classes[name] as (a: Uint8Array) => boolean)(must(text)));
      expect(found.join()).to.equal(expected);
    });
  }

  it('compares prefixes within a family', () => {
    expect(addresses.samePrefix(must('192.0.2.1'), must('192.0.2.254'), 24)).to.equal(true);
    expect(addresses.samePrefix(must('192.0.2.1'), must('192.0.3.1'), 24)).to.equal(false);
    expect(addresses.samePrefix(must('192.0.2.1'), must('192.0.3.1'), 23)).to.equal(true);
    expect(addresses.samePrefix(must('1.2.3.4'), must('200.2.3.4'), 0)).to.equal(true);
    expect(addresses.samePrefix(must('::1'), must('1.2.3.4'), 0)).to.equal(false);
    expect(addresses.samePrefix(must('2001:db8::1'), must('2001:db8:0:1::1'), 64)).to.equal(false);
  });

  it('gives the bytes a packet carries, and takes them back', () => {
    expect([...addresses.packetBytes(must('192.0.2.1'))]).to.eql([192, 0, 2, 1]);
    expect(addresses.packetBytes(must('::2')).length).to.equal(16);
    expect(formatAddress(addresses.addressFromBytes(Uint8Array.of(192, 0, 2, 1)))).to.equal('192.0.2.1');
    expect(() => addresses.addressFromBytes(new Uint8Array(5))).to.throw(RangeError);
  });
});

describe('shared/addresses: netmask and MAC', () => {
  it('reads every contiguous netmask and writes it back', () => {
    for (let length = 0; length <= 32; length++) expect(parseNetmask(formatNetmask(length))).to.equal(length);
    for (const text of ['255.0.255.0', '0.0.0.255', '255.255.255.1', '24', '']) expect(parseNetmask(text)).to.equal(null);
  });

  it('reads and writes MAC addresses', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (mac) => {
        expect([...(parseMac(formatMac(mac)) as Uint8Array)]).to.eql([...mac]);
      }),
    );
    for (const text of [
      '',
      '1:2:3:4:5:6',
      '9a-55-9a-55-9a-55',
      '9a:55:9a:55:9a:5g',
      '9a:55:9a:55:9a:555',
      '9a:55:9a:55:9a',
      '9a:55:9a:55:9a:-5',
    ]) {
      expect(parseMac(text), text).to.equal(null);
    }
    // RFC 4291 appendix A: the universal/local bit is inverted.
    expect(formatAddress(addresses.linkLocalFromMac(parseMac('9a:55:9a:55:9a:55') as Uint8Array))).to.equal('fe80::9855:9aff:fe55:9a55');
    expect(addresses.isGroupMac(parseMac('01:00:5e:00:00:01') as Uint8Array)).to.equal(true);
    expect(addresses.isGroupMac(parseMac('9a:55:9a:55:9a:55') as Uint8Array)).to.equal(false);
  });
});
