import { expect } from 'chai';
import { parseIPv4, parseIPv6 } from '../../../shared/addresses.ts';
import { setIdentity } from '../../../worker/local/identity.ts';
import { askWhoHas } from '../../../worker/local/solicit.ts';
import { frame, parse, Verdict, verifyL4Checksum } from '../../../worker/wire/frame.ts';
import { take } from '../wire/arena.ts';
import { FACTS, freshLink, OUR_MAC, OUT, words } from './link.ts';

const NONE = new Uint8Array(0);
const ADDRESS4 = words(parseIPv4('10.0.0.9'));
const ADDRESS6 = words(parseIPv6('2001:db8::12:3456'));

describe('local/solicit', () => {
  beforeEach(freshLink);

  it('asks everybody for an IPv4 address, for the gateway', () => {
    expect(askWhoHas(4, ADDRESS4, 0, OUT)).to.equal(42);
    expect(take(OUT, 43)).to.equal(
      'ffffffffffff 0200000000fe 0806 0001 0800 06 04 0001 0200000000fe 0a000001 ffffffffffff 0a000009 a5'.replaceAll(' ', ''),
    );
    expect(parse(OUT, 42, false)).to.equal(Verdict.OK);
  });

  it('asks for nobody where there is no gateway', () => {
    setIdentity(OUR_MAC, { ...FACTS, gateway4: NONE });
    expect(askWhoHas(4, ADDRESS4, 0, OUT)).to.equal(42);
    expect(take(OUT + 28, 4)).to.equal('00000000');
  });

  it('asks the group of an IPv6 address, from our link-local one', () => {
    expect(askWhoHas(6, ADDRESS6, 0, OUT)).to.equal(86);
    const checksum = take(OUT + 56, 2);
    expect(take(OUT, 87)).to.equal(
      `3333ff123456 0200000000fe 86dd 60000000 0020 3a ff fe800000000000000000000000000001 ff0200000000000000000001ff123456
       87 00 ${checksum} 00000000 20010db8000000000000000000123456 0101 0200000000fe a5`.replaceAll(/\s/g, ''),
    );
    expect(parse(OUT, 86, false)).to.equal(Verdict.OK);
    expect([frame.family, verifyL4Checksum()]).to.deep.equal([6, true]);
  });

  it('asks nobody for IPv6 from no address', () => {
    setIdentity(OUR_MAC, { ...FACTS, ourLinkLocal: NONE });
    expect(askWhoHas(6, ADDRESS6, 0, OUT)).to.equal(0);
  });
});
