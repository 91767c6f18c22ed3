import { expect } from 'chai';
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

  it("answers a probe from 0.0.0.0 for an address that is not the guest's", () => {
    expect(answer({ [SENDER]: '00000000' })).to.equal(42);
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
