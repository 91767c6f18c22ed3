import { expect } from 'chai';
import { parseIPv4 } from '../../../shared/addresses.ts';
import { type ForwardingFacts, setForwarding, setResolvers } from '../../../worker/flow/forward.ts';
import { answerArp } from '../../../worker/local/arp.ts';
import { setIdentity } from '../../../worker/local/identity.ts';
import { frame } from '../../../worker/wire/frame.ts';
import { take } from '../wire/arena.ts';
import { ARP_REQUEST } from '../wire/captures.ts';
import { FACTS, OUR_MAC, OUT, freshLink, request } from './link.ts';

/** Offsets from the virtio-net header. */
const OPERATION = 30;
const SENDER_MAC = 32;
const SENDER = 38;
const TARGET = 48;

const hexOf = (address: string): string => Buffer.from((parseIPv4(address) as Uint8Array).slice(12)).toString('hex');

function answer(changes: Record<number, string> = {}): number {
  request(ARP_REQUEST, changes);
  return answerArp(frame.l2, OUT);
}

describe('local/arp', () => {
  beforeEach(freshLink);

  it('answers for any address with our MAC, to the asker alone', () => {
    expect(answer()).to.equal(42);
    expect(take(OUT, 43)).to.equal(
      '020000000002 0200000000fe 0806 0001080006040002 0200000000fe 0a000009 020000000002 0a000002a5'.replaceAll(' ', ''),
    );
  });

  it('RFC 5227 §2.1.1: defends against a probe what stands for somebody: the gateway, and each address that is mapped', () => {
    const ours = ['10.0.0.1', '10.0.0.31', '10.0.0.32', '10.0.0.33'];
    const [gateway4, mapHostLoopback4, mapGuestAddress4, forward4] = ours.map((text) => parseIPv4(text) as Uint8Array);
    const none = new Uint8Array(0);
    setForwarding({ ...FACTS, gateway4, mapHostLoopback4, mapGuestAddress4, mapGuestAddress6: none } as ForwardingFacts);
    setResolvers({ forward4: forward4 as Uint8Array, forward6: none, host4: none, host6: none });
    for (const address of ours) expect(answer({ [SENDER]: '00000000', [TARGET]: hexOf(address) }), address).to.equal(42);
  });

  it('RFC 5227 §2.1.1: leaves all others to a guest that probes whether it may have them', () => {
    for (const address of ['10.0.0.2', '10.0.0.3', '192.168.7.7', '169.254.9.9'])
      expect(answer({ [SENDER]: '00000000', [TARGET]: hexOf(address) }), address).to.equal(0);
  });

  it('leaves the guest its own address', () => {
    expect(answer({ [TARGET]: '0a000002', [SENDER]: '0a000003' })).to.equal(0);
    expect(answer({ [TARGET]: '0a000002', [SENDER]: '00000000' }), 'probe').to.equal(0);
    expect(answer({ [TARGET]: '0a000007', [SENDER]: '0a000007' }), 'announcement').to.equal(0);
  });

  it('answers for every address when the guest was given none', () => {
    setIdentity(OUR_MAC, { ...FACTS, guestAddress4: new Uint8Array(0) });
    expect(answer({ [TARGET]: '0a000002', [SENDER]: '0a000003' })).to.equal(42);
  });

  it('is silent for replies, and for addresses that nobody has', () => {
    expect(answer({ [OPERATION]: '0002' })).to.equal(0);
    for (const target of ['00000000', '7f000001', 'e0000001', 'ffffffff']) expect(answer({ [TARGET]: target }), target).to.equal(0);
    expect(answer({ [SENDER_MAC]: 'ffffffffffff' })).to.equal(0);
  });
});
