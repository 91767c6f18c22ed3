import { expect } from 'chai';
import { answerEcho } from '../../../worker/local/echo.ts';
import { setIdentity } from '../../../worker/local/identity.ts';
import { sum } from '../../../worker/wire/checksum.ts';
import { Verdict, frame, parse, verifyL4Checksum } from '../../../worker/wire/frame.ts';
import * as icmp from '../../../worker/wire/icmp.ts';
import { put, take } from '../wire/arena.ts';
import { PING4, PING6 } from '../wire/captures.ts';
import { FACTS, OUR_MAC, OUT, REQUEST, freshLink, request } from './link.ts';

const L3 = REQUEST + 24;
const GATEWAY6 = '20010db8000000000000000000000001';

/** PING4 to the gateway, its IPv4 checksum made right after the changes; offsets from the virtio-net header. */
function ping4(changes: Record<number, string> = {}): number {
  put(REQUEST, PING4);
  for (const [offset, hex] of Object.entries({ 40: '0a000001', 34: '0000', ...changes })) put(REQUEST + Number(offset), hex);
  put(L3 + 10, (~sum(L3, 20, 0) & 0xffff).toString(16).padStart(4, '0'));
  expect(parse(REQUEST, 68, true)).to.equal(Verdict.OK);
  return answerEcho(frame, OUT);
}

/** PING6 to the gateway, its checksum made right after the changes. */
function ping6(changes: Record<number, string> = {}): number {
  request(PING6, { 48: GATEWAY6, ...changes });
  icmp.fillChecksum6(frame.l3, frame.l4, frame.end - frame.l4);
  return answerEcho(frame, OUT);
}

describe('local/echo', () => {
  beforeEach(freshLink);

  it('answers a ping of the gateway byte for byte', () => {
    expect(ping4({ 25: '03' })).to.equal(58);
    expect(take(OUT, 14)).to.equal('0200000000020200000000fe0800');
    expect(take(OUT + 14, 10)).to.equal('4503002c00004000ff01');
    expect(take(OUT + 26, 8)).to.equal('0a0000010a000002');
    expect(take(OUT + 34, 25)).to.equal('00000e5379c600018962016b00000000de170f0000000000a5');
    expect(parse(OUT, 58, false)).to.equal(Verdict.OK);
  });

  it('answers a ping of the IPv6 gateway and of our link-local address', () => {
    for (const address of [GATEWAY6, 'fe800000000000000000000000000001']) {
      expect(ping6({ 48: address })).to.equal(78);
      expect(take(OUT, 22)).to.equal('0200000000020200000000fe86dd6000000000183aff');
      expect(take(OUT + 22, 32)).to.equal(`${address}20010db8000000000000000000000002`);
      expect(take(OUT + 58, 20)).to.equal('79d900018a62016b00000000581d0f0000000000');
      expect(parse(OUT, 78, false)).to.equal(Verdict.OK);
      expect([icmp.type(frame.l4), verifyL4Checksum()]).to.deep.equal([icmp.ECHO_REPLY6, true]);
    }
  });

  it('leaves all other destinations to the ping sockets', () => {
    expect(ping4({ 40: 'c6336407' })).to.equal(0);
    expect(ping6({ 48: '20010db8000100000000000000000007' })).to.equal(0);
    setIdentity(OUR_MAC, { ...FACTS, mapHostLoopback4: FACTS.gateway4, mapHostLoopback6: FACTS.gateway6 });
    expect([ping4(), ping6()]).to.deep.equal([0, 0]);
  });

  it('answers nothing but sound requests', () => {
    expect(ping4({ 44: '00' }), 'a reply').to.equal(0);
    expect(ping4({ 45: '01' }), 'code').to.equal(0);
    expect(ping4({ 60: 'ff' }), 'checksum').to.equal(0);
    expect(ping4({ 36: '00000000' }), 'from 0.0.0.0').to.equal(0);
    expect(ping4({ 16: '030000000002' }), 'from a group MAC').to.equal(0);
    expect(ping6({ 64: '81' }), 'a reply').to.equal(0);
    expect(ping6({ 65: '01' }), 'code').to.equal(0);
    expect(ping6({ 32: '0'.repeat(32) }), 'from ::').to.equal(0);
    request(PING6, { 48: GATEWAY6 });
    expect(answerEcho(frame, OUT), 'checksum').to.equal(0);
  });

  it('answers a ping of the largest size', () => {
    put(REQUEST, PING4);
    put(REQUEST + 26, 'ffff');
    put(REQUEST + 40, '0a000001');
    put(L3 + 10, '0000');
    put(L3 + 10, (~sum(L3, 20, 0) & 0xffff).toString(16).padStart(4, '0'));
    icmp.fillChecksum4(L3 + 20, 65_515);
    expect(parse(REQUEST, 24 + 65_535, true)).to.equal(Verdict.OK);
    expect(answerEcho(frame, OUT)).to.equal(14 + 65_535);
    expect(icmp.verify4(OUT + 34, 65_515)).to.equal(true);
  });
});
