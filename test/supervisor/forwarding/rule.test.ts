/**
 * Rules that no option makes: a client of the control socket may say anything.
 */
import { expect } from 'chai';
import { parseAddress } from '../../../shared/addresses.ts';
import { faultOf, type ForwardingRule, sameRule } from '../../../supervisor/forwarding/rule.ts';

const EVERYTHING = { ipv4: true, ipv6: true, tcp: true, udp: true, scan: true };
const RULE: ForwardingRule = {
  protocol: 'tcp',
  side: 'host',
  address: parseAddress('192.0.2.1'),
  interfaceName: 'eth0',
  first: 80,
  last: 90,
  targetFirst: 8080,
  target: parseAddress('10.0.0.1'),
  weak: false,
  scan: false,
};

describe('supervisor/forwarding/rule: what is wrong with one', () => {
  for (const [change, fault] of [
    [{}, null],
    [{ first: 0 }, 'port 0 can not be forwarded; ports are 1 to 65535'],
    [{ targetFirst: 0 }, 'port 0 can not be forwarded; ports are 1 to 65535'],
    [{ first: 91 }, '91-90 is no range of ports; give the lower one first, 65535 at most'],
    [{ last: 65_536 }, '80-65536 is no range of ports; give the lower one first, 65535 at most'],
    [{ targetFirst: 65_525 }, null],
    [{ targetFirst: 65_526 }, '80-90 does not fit at port 65526; the last port is 65535'],
    [{ target: parseAddress('0.0.0.0') }, "0.0.0.0 is no address of a target; leave it out for the guest's own"],
    [{ address: parseAddress('::'), target: parseAddress('::') }, ":: is no address of a target; leave it out for the guest's own"],
    [{ side: 'guest' }, 'the namespace listens on its loopback only; give ports without an address'],
    [{ side: 'guest', interfaceName: 'lo' }, null],
    [{ side: 'guest', interfaceName: null, address: parseAddress('127.0.0.1') }, null],
  ] as readonly (readonly [Partial<ForwardingRule>, string | null])[]) {
    it(`${JSON.stringify(change)}`, () => expect(faultOf({ ...RULE, ...change }, EVERYTHING)).to.equal(fault));
  }
});

describe('supervisor/forwarding/rule: two are the same', () => {
  it('when each field is', () => {
    expect(sameRule(RULE, { ...RULE, address: parseAddress('192.0.2.1'), target: parseAddress('10.0.0.1') })).to.equal(true);
    expect(sameRule({ ...RULE, address: null, target: null }, { ...RULE, address: null, target: null })).to.equal(true);
  });

  for (const change of [
    { protocol: 'udp' },
    { side: 'guest' },
    { address: null },
    { address: parseAddress('192.0.2.2') },
    { interfaceName: null },
    { interfaceName: 'eth1' },
    { first: 81 },
    { last: 89 },
    { targetFirst: 80 },
    { target: null },
    { target: parseAddress('10.0.0.2') },
    { weak: true },
    { scan: true },
  ] as readonly Partial<ForwardingRule>[]) {
    it(`not when ${JSON.stringify(change)} is all that differs`, () => {
      expect(sameRule(RULE, { ...RULE, ...change })).to.equal(false);
      expect(sameRule({ ...RULE, ...change }, RULE)).to.equal(false);
    });
  }
});
