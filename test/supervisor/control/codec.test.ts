/** The control protocol against what pasta and pesto 0.0~git20261002.cba3570 were seen to say, at random, and spoiled. */
import { expect } from 'chai';
import fc from 'fast-check';
import { MAX_FORWARDING_RULES } from '../../../shared/limits.ts';
import { parseAddress } from '../../../shared/addresses.ts';
import { Answer } from '../../../supervisor/control/answer.ts';
import {
  decodeAnswer,
  decodeGreeting,
  decodeVerdict,
  encodeAnswer,
  encodeGreeting,
  encodeVerdict,
  MAX_ANSWER_BYTES,
  ProtocolError,
} from '../../../supervisor/control/codec.ts';
import type { Enabled, ForwardingRule } from '../../../supervisor/forwarding/rule.ts';
import type { ForwardingTable } from '../../../supervisor/forwarding/table.ts';

const ALL: Enabled = { ipv4: true, ipv6: true, tcp: true, udp: true, scan: true };
const zeros = (count: number): string => '00'.repeat(count);
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const address = (text: string): Uint8Array => parseAddress(text) as Uint8Array;

function rule(change: Partial<ForwardingRule>): ForwardingRule {
  const ports = { first: 80, last: 80, targetFirst: 80 };
  const rest = { address: null, interfaceName: null, target: null, weak: false, scan: false };
  return { protocol: 'tcp', side: 'host', ...ports, ...rest, ...change };
}

/** `pasta -t 5000-5001,6000:7000 -u 0.0.0.0/5000 -T none -U 9999`, after `pesto -A -t 0.0.0.0/5555:192.0.2.4/66`. */
const TABLE: ForwardingTable = {
  host: [
    rule({ first: 5000, last: 5001, targetFirst: 5000 }),
    rule({ first: 6000, last: 6000, targetFirst: 7000 }),
    rule({ protocol: 'udp', address: address('0.0.0.0'), first: 5000, last: 5000, targetFirst: 5000 }),
    rule({ address: address('0.0.0.0'), target: address('192.0.2.4'), first: 5555, last: 5555, targetFirst: 66 }),
  ],
  guest: [rule({ protocol: 'udp', side: 'guest', interfaceName: 'lo', first: 9999, last: 9999, targetFirst: 9999 })],
};
const HOST_RULES = `${zeros(48)} 1388 1389 1388 06 01  ${zeros(48)} 1770 1770 1b58 06 01
  ${zeros(10)}ffff${zeros(36)} 1388 1388 1388 11 00
  ${zeros(10)}ffff${zeros(4)}${zeros(10)}ffffc0000204${zeros(16)} 15b3 15b3 0042 06 00`.replaceAll('\n', '');
const GUEST_RULES = `${zeros(32)} 6c6f${zeros(14)} 270f 270f 270f 11 01`;
const HEAD = '626173696c3a7300 00000002 00000080 00000010';
const name = (text: string): string => Buffer.from(text.padEnd(128, '\0')).toString('hex');
const GREETING = bytesOf(
  `${HEAD} 01${name('HOST')} 0000003f 00000004 ${HOST_RULES} 03${name('SPLICE')} 0000003f 00000001 ${GUEST_RULES} 00`,
);
const ANSWER = bytesOf(`01 00000004 ${HOST_RULES} 03 00000001 ${GUEST_RULES} 00`);

function complete<Result>(decoded: { readonly result: Result } | { readonly needs: number }): Result {
  if (!('result' in decoded)) throw new Error(`${decoded.needs} bytes are wanted`);
  return decoded.result;
}

const anyAddress = fc.uint8Array({ minLength: 16, maxLength: 16 });
const anyTarget = anyAddress.filter((bytes) => bytes.some((byte) => byte !== 0));
const anyName = fc.stringMatching(/^[a-z0-9._-]{1,15}$/);

function anyRule(side: 'host' | 'guest'): fc.Arbitrary<ForwardingRule> {
  return fc.record({
    protocol: fc.constantFrom('tcp', 'udp'),
    side: fc.constant(side),
    address: fc.option(anyAddress),
    interfaceName: fc.option(anyName),
    first: fc.nat(0xffff),
    last: fc.nat(0xffff),
    targetFirst: fc.nat(0xffff),
    target: fc.option(anyTarget),
    weak: fc.boolean(),
    scan: fc.boolean(),
  });
}

const anyTable = fc.record({ host: fc.array(anyRule('host'), { maxLength: 12 }), guest: fc.array(anyRule('guest'), { maxLength: 12 }) });

describe('supervisor/control/codec', () => {
  it('greets with the bytes that pasta greets with', () => {
    expect(Buffer.from(encodeGreeting(TABLE, ALL)).toString('hex')).to.equal(Buffer.from(GREETING).toString('hex'));
  });

  it('understands the answer of pesto', () => {
    expect(complete(decodeAnswer(ANSWER, ALL))).to.deep.equal(TABLE);
  });

  it('understands the greeting of pasta, and answers as pesto does', () => {
    const tables = complete(decodeGreeting(GREETING));
    expect(tables.map(({ id, name: shown, enabled }) => ({ id, shown, enabled }))).to.deep.equal([
      { id: 1, shown: 'HOST', enabled: ALL },
      { id: 3, shown: 'SPLICE', enabled: ALL },
    ]);
    expect(Buffer.from(encodeAnswer(tables)).toString('hex')).to.equal(Buffer.from(ANSWER).toString('hex'));
  });

  for (const [option, bits] of [
    ['ipv6', 0x3d],
    ['ipv4', 0x3e],
    ['tcp', 0x3b],
    ['udp', 0x37],
    ['scan', 0x2f],
  ] as const)
    it(`tells that there is no ${option}`, () => {
      const bytes = encodeGreeting({ host: [], guest: [] }, { ...ALL, [option]: false });
      expect(new DataView(bytes.buffer).getUint32(149)).to.equal(bits);
      expect(complete(decodeGreeting(bytes))[0]?.enabled[option]).to.equal(false);
    });

  it('a machine has ports of the host only', () => {
    const machine = { ...ALL, scan: false };
    const bytes = encodeGreeting({ ...TABLE, guest: [] }, machine);
    expect(complete(decodeGreeting(bytes)).map(({ name: shown }) => shown)).to.deep.equal(['HOST']);
    expect(complete(decodeAnswer(bytesOf(`01 00000004 ${HOST_RULES} 00`), machine))).to.deep.equal({ host: TABLE.host, guest: [] });
    expect(() => decodeAnswer(ANSWER, machine)).to.throw(ProtocolError, 'there is no table 3');
  });

  it('gives back any table, both ways', () => {
    fc.assert(
      fc.property(anyTable, (table) => {
        const greeted = complete(decodeGreeting(encodeGreeting(table, ALL)));
        expect({ host: greeted[0]?.rules, guest: greeted[1]?.rules }).to.deep.equal(table);
        expect(complete(decodeAnswer(encodeAnswer(greeted), ALL))).to.deep.equal(table);
      }),
    );
  });

  it('waits for more where an answer was cut, anywhere, and never asks for less than it has', () => {
    for (const [bytes, decode] of [
      [ANSWER, (cut: Uint8Array) => decodeAnswer(cut, ALL)],
      [GREETING, decodeGreeting],
    ] as const)
      for (let length = 0; length < bytes.length; length++) {
        const decoded = decode(bytes.slice(0, length));
        expect('needs' in decoded && decoded.needs > length && decoded.needs <= bytes.length, `${length}`).to.equal(true);
      }
  });

  it('an answer comes in any pieces', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1 }), (sizes) => {
        const answer = new Answer(ALL);
        let found: ForwardingTable | null = null;
        for (let at = 0, piece = 0; found === null; piece++) {
          const size = sizes[piece % sizes.length] as number;
          found = answer.take(ANSWER.slice(at, at + size));
          at += size;
        }
        expect(found).to.deep.equal(TABLE);
      }),
    );
  });

  it('takes as many rules as a table holds', () => {
    const full = (side: 'host' | 'guest'): ForwardingRule[] => Array.from({ length: MAX_FORWARDING_RULES }, () => rule({ side }));
    const table = { host: full('host'), guest: full('guest') };
    const bytes = encodeAnswer([
      { id: 1, rules: table.host },
      { id: 3, rules: table.guest },
    ]);
    expect(bytes.length).to.equal(MAX_ANSWER_BYTES);
    expect(new Answer(ALL).take(bytes)).to.deep.equal(table);
  });

  it('a table that is not named is empty', () => {
    expect(complete(decodeAnswer(Uint8Array.of(0), ALL))).to.deep.equal({ host: [], guest: [] });
    expect(complete(decodeAnswer(bytesOf(`03 00000001 ${GUEST_RULES} 00`), ALL))).to.deep.equal({ host: [], guest: TABLE.guest });
  });

  it('says what became of an answer', () => {
    expect(decodeVerdict(encodeVerdict(null))).to.equal(null);
    expect(decodeVerdict(encodeVerdict('port 80: why – not'))).to.equal('port 80: why – not');
    expect(decodeVerdict(encodeVerdict('x'.repeat(100_000)))).to.have.length(65_535);
    expect(decodeVerdict(new Uint8Array(0))).to.equal(undefined);
    expect(decodeVerdict(encodeVerdict('cut').slice(0, 5))).to.equal(undefined);
  });
});

/** The answer with one rule, some bytes of which are others. */
function spoiledRule(at: number, ...bytes: number[]): Uint8Array {
  const answer = bytesOf(`01 00000001 ${zeros(48)} 1388 1389 1388 06 01 00`);
  answer.set(bytes, 5 + at);
  return answer;
}

describe('supervisor/control/codec, what is not the protocol', () => {
  for (const [what, bytes, why] of [
    ['a table that there is not', bytesOf('02 00000000 00'), 'there is no table 2'],
    ['the same table twice', bytesOf('01 00000000 01 00000000 00'), 'table HOST comes twice'],
    ['a count of four thousand millions', bytesOf('01 ffffffff'), '4294967295 rules are too many for one table; it holds 255'],
    ['one rule too many', bytesOf('03 00000100'), '256 rules are too many for one table; it holds 255'],
    ['bytes behind the end', bytesOf('00 01'), '1 bytes follow the end'],
    ['another protocol', spoiledRule(54, 132), "protocol 132 can't be forwarded"],
    ['an unknown flag', spoiledRule(55, 9), 'flags 0x9 are unknown'],
    ['an address for both families', spoiledRule(15, 1), 'a rule for both families has an address'],
    ['a name without end', spoiledRule(32, ...Array(16).fill(0x61)), "the name of an interface doesn't end"],
    ['a name with something behind its end', spoiledRule(32, 0x61, 0, 0x61), "the name of an interface doesn't end"],
    ['a name with a slash', spoiledRule(32, 0x61, 0x2f), 'the name of an interface has bytes that no name has'],
    ['a name with an escape', spoiledRule(32, 0x1b), 'the name of an interface has bytes that no name has'],
  ] as const)
    it(`refuses ${what}`, () => {
      expect(() => decodeAnswer(bytes, ALL)).to.throw(ProtocolError, why);
      expect(() => new Answer(ALL).take(bytes)).to.throw(ProtocolError, why);
    });

  it('refuses more bytes than all rules have, before they are kept', () => {
    expect(() => new Answer(ALL).take(new Uint8Array(MAX_ANSWER_BYTES + 1))).to.throw(ProtocolError, 'more than all rules');
  });

  for (const [what, at, byte, why] of [
    ['magic', 3, 0x41, 'not the control socket'],
    ['version', 11, 3, 'speaks version 3 of the protocol, we speak 2'],
    ['size of names', 15, 0x40, 'names of another size'],
  ] as const)
    it(`refuses a greeting with another ${what}`, () => {
      const bytes = GREETING.slice();
      bytes[at] = byte;
      expect(() => decodeGreeting(bytes)).to.throw(ProtocolError, why);
    });

  it('throws nothing else, and loses nothing, whatever comes', () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.tuple(fc.nat(ANSWER.length - 1), fc.nat(255)).map(([at, byte]) => {
        const bytes = ANSWER.slice();
        bytes[at] = byte;
        return bytes;
      }),
    );
    fc.assert(
      fc.property(noise, (bytes) => {
        try {
          const decoded = decodeAnswer(bytes, ALL);
          if ('needs' in decoded) expect(decoded.needs).to.be.above(bytes.length);
          else {
            const { host, guest } = decoded.result;
            const again = encodeAnswer([
              { id: 1, rules: host },
              { id: 3, rules: guest },
            ]);
            expect(complete(decodeAnswer(again, ALL))).to.deep.equal(decoded.result);
          }
        } catch (error) {
          expect(error).to.be.instanceOf(ProtocolError);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
