/**
 * Properties of ranges, rules and tables, over random ones.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { isLoopback, isUnspecified, parseAddress } from '../../../shared/addresses.ts';
import { expandSpec } from '../../../supervisor/forwarding/expansion.ts';
import { countPorts, overlapOf, type PortRange, subtractRanges } from '../../../supervisor/forwarding/port-range.ts';
import { conflictOf, faultOf, type ForwardingRule, restrictToFamilies, sameRule, specOf } from '../../../supervisor/forwarding/rule.ts';
import { parseSpec } from '../../../supervisor/forwarding/spec.ts';
import { makeTable, named } from '../../../supervisor/forwarding/table.ts';

const EVERYTHING = { ipv4: true, ipv6: true, tcp: true, udp: true, scan: true };

function ranges(least: number, most: number): fc.Arbitrary<PortRange> {
  return fc
    .tuple(fc.integer({ min: least, max: most }), fc.integer({ min: least, max: most }))
    .map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) }));
}

/** Few ports, so that ranges meet often. */
const SHORT = ranges(1, 40);

function contains({ first, last }: PortRange, port: number): boolean {
  return first <= port && port <= last;
}

describe('supervisor/forwarding: ranges', () => {
  it('what is left of a range are the ports that no exclusion has, in order, joined where they touch', () => {
    fc.assert(
      fc.property(SHORT, fc.array(ranges(0, 41), { maxLength: 5 }), (range, exclusions) => {
        const rest = subtractRanges(range, exclusions);
        for (let port = 0; port <= 42; port++) {
          const expected = contains(range, port) && !exclusions.some((gap) => contains(gap, port));
          expect(rest.filter((part) => contains(part, port)).length).to.equal(expected ? 1 : 0);
        }
        for (let at = 1; at < rest.length; at++) expect(rest[at]?.first).to.be.greaterThan((rest[at - 1]?.last ?? 0) + 1);
      }),
    );
  });

  it('what two ranges share is the same from both sides, and they have as many ports apart as together', () => {
    fc.assert(
      fc.property(SHORT, SHORT, (a, b) => {
        const shared = overlapOf(a, b);
        expect(overlapOf(b, a)).to.eql(shared);
        const rest = subtractRanges(a, [b]).reduce((sum, part) => sum + countPorts(part), 0);
        expect(rest + (shared === null ? 0 : countPorts(shared))).to.equal(countPorts(a));
      }),
    );
  });
});

const LISTENING = ['127.0.0.1', '192.0.2.1', '0.0.0.0', '::', '::1', '2001:db8::1', 'fe80::1'].map((text) => parseAddress(text));
const TARGETS = ['10.0.0.1', '127.0.0.1', '2001:db8::9', '::1'].map((text) => parseAddress(text));

/** Rules that are right by themselves. Weak ones are not there, since no word makes one of them alone. */
const RULES: fc.Arbitrary<ForwardingRule> = fc
  .record({
    protocol: fc.constantFrom('tcp' as const, 'udp' as const),
    side: fc.constantFrom('host' as const, 'guest' as const),
    address: fc.constantFrom(null, ...LISTENING),
    interfaceName: fc.constantFrom(null, 'lo', 'eth0'),
    range: SHORT,
    targetFirst: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 65_490, max: 65_535 })),
    target: fc.constantFrom(null, ...TARGETS),
    scan: fc.boolean(),
  })
  .map(({ range, ...rule }) => ({
    ...rule,
    ...range,
    ...(rule.side === 'guest' ? { address: null, interfaceName: 'lo' } : {}),
    weak: false,
  }))
  .filter((rule) => faultOf(rule, EVERYTHING) === null);

describe('supervisor/forwarding: rules', () => {
  it('written down as the value of an option, a rule gives itself again', () => {
    fc.assert(
      fc.property(RULES, (rule) => {
        const option = rule.side === 'host' ? (`--${rule.protocol}-ports` as const) : (`--${rule.protocol}-ns` as const);
        const again = expandSpec(parseSpec(option, specOf(rule)), { ...EVERYTHING, ephemeral: { first: 1, last: 65_535 } });
        expect(again).to.have.length(1);
        expect(sameRule(again[0] as ForwardingRule, rule), specOf(rule)).to.equal(true);
      }),
      { numRuns: 500 },
    );
  });

  it('conflict is the same from both sides, and a rule conflicts with itself', () => {
    fc.assert(
      fc.property(RULES, RULES, (a, b) => {
        expect(conflictOf(a, b)).to.eql(conflictOf(b, a));
        expect(conflictOf(a, a)).to.eql({ first: a.first, last: a.last });
      }),
    );
  });

  it('conflict is what two sockets would have: one port, one protocol, and addresses of which one covers the other', () => {
    fc.assert(
      fc.property(RULES, RULES, (a, b) => {
        const ports = overlapOf(a, b);
        const covers = (one: ForwardingRule, other: ForwardingRule): boolean =>
          socketsOf(one).some((text) => socketsOf(other).includes(text));
        const expected = a.protocol === b.protocol && a.side === b.side && ports !== null && covers(a, b);
        expect(conflictOf(a, b)).to.eql(expected ? ports : null);
      }),
      { numRuns: 500 },
    );
  });

  it('where one family is up, the wildcard of both becomes that of the one', () => {
    fc.assert(
      fc.property(RULES, fc.boolean(), (rule, four) => {
        const { address } = restrictToFamilies(rule, { ...EVERYTHING, ipv4: four, ipv6: !four });
        if (rule.address !== null) expect(address).to.equal(rule.address);
        else expect(address).to.eql(parseAddress(four ? '0.0.0.0' : '::'));
      }),
    );
  });

  it('a table takes rules in any order, or refuses them in any order', () => {
    fc.assert(
      fc.property(fc.array(RULES, { minLength: 2, maxLength: 4 }), (rules) => {
        const takes = (list: readonly ForwardingRule[]): boolean => {
          try {
            makeTable(list.map(named));
            return true;
          } catch {
            return false;
          }
        };
        expect(takes([...rules].reverse())).to.equal(takes(rules));
      }),
    );
  });
});

/** Every address of the lists that a rule's socket would take, the wildcards' own included. */
function socketsOf({ address }: ForwardingRule): string[] {
  const all = LISTENING.map((other) => other as Uint8Array);
  const four = all.filter((other) => other[10] === 0xff);
  const six = all.filter((other) => other[10] !== 0xff);
  const own = address === null ? all : !isUnspecified(address) ? [address] : address[10] === 0xff ? four : six;
  return own.map((bytes) => bytes.join());
}

describe('supervisor/forwarding: sides', () => {
  it('of the namespace, only loopback can listen', () => {
    const rule = parseSpec('--tcp-ns', '80');
    const [made] = expandSpec(rule, { ...EVERYTHING, ephemeral: { first: 32_768, last: 60_999 } });
    for (const address of LISTENING as Uint8Array[]) {
      const fault = faultOf({ ...(made as ForwardingRule), address, interfaceName: 'eth0' }, EVERYTHING);
      expect(fault === null).to.equal(isLoopback(address));
    }
    expect(faultOf({ ...(made as ForwardingRule), interfaceName: null }, EVERYTHING)).to.be.a('string');
  });
});
