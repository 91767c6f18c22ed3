import { expect } from 'chai';
import { setIdentity } from '../../../worker/local/identity.ts';
import { answerNdp } from '../../../worker/local/ndp.ts';
import { Verdict, frame, parse, verifyL4Checksum } from '../../../worker/wire/frame.ts';
import * as icmp from '../../../worker/wire/icmp.ts';
import { put, take } from '../wire/arena.ts';
import { DAD, MLD_REPORT, NEIGHBOUR_SOLICITATION, PING6, ROUTER_SOLICITATION } from '../wire/captures.ts';
import { FACTS, OUR_MAC, OUT, REQUEST, freshLink, request } from './link.ts';

/** Offsets from the virtio-net header. */
const HOP_LIMIT = 31;
const SOURCE = 32;
const TYPE = 64;
const CODE = 65;
const TARGET = 72;
const OPTION_LENGTH = 89;

/** Puts the request and makes its checksum right after the changes. */
function solicit(capture: string, changes: Record<number, string> = {}): void {
  request(capture, changes);
  icmp.fillChecksum6(frame.l3, frame.l4, frame.end - frame.l4);
}

function answer(changes: Record<number, string> = {}): number {
  solicit(NEIGHBOUR_SOLICITATION, changes);
  return answerNdp(frame, OUT);
}

/** Duplicate address detection for `target`, sent to its group. */
function claim(target: string, group = `ff0200000000000000000001ff${target.slice(26)}`): number {
  solicit(DAD, { [SOURCE + 16]: group, [TARGET]: target });
  return answerNdp(frame, OUT);
}

describe('local/ndp', () => {
  beforeEach(freshLink);

  it('answers a solicitation of Linux byte for byte', () => {
    request(NEIGHBOUR_SOLICITATION);
    expect(answerNdp(frame, OUT)).to.equal(86);
    const checksum = take(OUT + 56, 2);
    expect(take(OUT, 87)).to.equal(
      `020000000002 0200000000fe 86dd 60000000 0020 3a ff fe800000000000000000000000000001 20010db8000000000000000000000002
       88 00 ${checksum} e0000000 20010db8000000000000000000000009 0201 0200000000fe a5`.replaceAll(/\s/g, ''),
    );
    expect(parse(OUT, 86, false)).to.equal(Verdict.OK);
    expect(verifyL4Checksum()).to.equal(true);
  });

  it('answers from the target where we have no link-local address', () => {
    setIdentity(OUR_MAC, { ...FACTS, ourLinkLocal: new Uint8Array(0) });
    expect(answer()).to.equal(86);
    expect(take(OUT + 22, 16)).to.equal('20010db8000000000000000000000009');
  });

  it('leaves the guest its own addresses, and duplicate address detection alone', () => {
    expect(answer({ [TARGET]: '20010db8000000000000000000000002', [SOURCE]: 'fe80000000000000000000fffe000002' })).to.equal(0);
    expect(answer({ [TARGET]: 'fe80000000000000000000fffe000002', [SOURCE]: 'fe80000000000000000000fffe000002' })).to.equal(0);
    request(DAD);
    expect(answerNdp(frame, OUT)).to.equal(0);
  });

  it('defends the addresses that have a meaning on the link, and tells everybody', () => {
    const loopback = '20010db8000000000000000000000099';
    setIdentity(OUR_MAC, { ...FACTS, mapHostLoopback6: Uint8Array.from(Buffer.from(loopback, 'hex')) });
    for (const target of ['fe800000000000000000000000000001', '20010db8000000000000000000000001', loopback]) {
      expect(claim(target), target).to.equal(86);
      expect(take(OUT, 14)).to.equal('333300000001 0200000000fe 86dd'.replaceAll(' ', ''));
      expect(take(OUT + 22, 32)).to.equal('fe800000000000000000000000000001ff020000000000000000000000000001');
      expect(take(OUT + 58, 28)).to.equal(`a0000000${target}02010200000000fe`);
      expect(parse(OUT, 86, false)).to.equal(Verdict.OK);
      expect(verifyL4Checksum()).to.equal(true);
    }
  });

  it('leaves all others to the guest', () => {
    for (const target of ['20010db8000000000000000000000002', '20010db8000000000000000000000077', 'fe800000000000000000000000000077'])
      expect(claim(target), target).to.equal(0);
    setIdentity(OUR_MAC, { ...FACTS, guestAddress6: FACTS.gateway6 });
    expect(claim('20010db8000000000000000000000001'), 'the gateway’s was given to the guest').to.equal(0);
  });

  it('RFC 4861 §7.1.1: a claim goes to the group of the address, and says no MAC', () => {
    const target = 'fe800000000000000000000000000001';
    expect(claim(target)).to.equal(86);
    expect(claim(target, target), 'to the address').to.equal(0);
    expect(claim(target, 'ff0200000000000000000001ff000002'), 'another group').to.equal(0);
    expect(
      answer({ [SOURCE]: '0'.repeat(32), [SOURCE + 16]: 'ff0200000000000000000001ff000001', [TARGET]: target }),
      'with a MAC',
    ).to.equal(0);
  });

  it('is silent for addresses that nobody has', () => {
    for (const target of [
      'ff020000000000000000000000000001',
      '0'.repeat(32),
      '0'.repeat(31).concat('1'),
      '00000000000000000000ffff0a000001',
    ]) {
      expect(answer({ [TARGET]: target }), target).to.equal(0);
    }
  });

  it('is silent for an asker without a MAC of its own', () => {
    expect(answer({ 16: '330000000002' })).to.equal(0);
  });

  it('checks what RFC 4861 §7.1.1 says', () => {
    expect(answer({ [HOP_LIMIT]: 'fe' }), 'hop limit').to.equal(0);
    expect(answer({ [CODE]: '01' }), 'code').to.equal(0);
    expect(answer({ [OPTION_LENGTH]: '00' }), 'option of length 0').to.equal(0);
    expect(answer({ [OPTION_LENGTH]: '02' }), 'option that overruns').to.equal(0);
    solicit(NEIGHBOUR_SOLICITATION, { 28: '0017' });
    expect(answerNdp(frame, OUT), 'length').to.equal(0);
    solicit(NEIGHBOUR_SOLICITATION);
    put(REQUEST + TARGET + 15, '0a');
    expect(answerNdp(frame, OUT), 'checksum').to.equal(0);
    expect(answer(), 'as it was').to.equal(86);
  });

  it('is silent for everything else', () => {
    for (const type of ['85', '86', '88', '89']) expect(answer({ [TYPE]: type }), type).to.equal(0);
    for (const capture of [ROUTER_SOLICITATION, MLD_REPORT, PING6]) {
      request(capture);
      expect(answerNdp(frame, OUT)).to.equal(0);
    }
  });
});
