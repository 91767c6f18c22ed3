import { expect } from 'chai';
import * as arp from '../../../worker/wire/arp.ts';
import { Verdict } from '../../../worker/wire/verdict.ts';
import { freshArena, put, take } from './arena.ts';

const AT = 64;

describe('wire/arp', () => {
  beforeEach(freshArena);

  it('writes a packet byte for byte and reads it back', () => {
    put(16, '020000000001');
    put(24, '020000000002');
    arp.writeArp(AT, arp.ARP_REPLY, 16, 0x0a000001, 24, 0xc0a80102 | 0);
    expect(take(AT, 29)).to.equal('00010800060400020200000000010a000001020000000002c0a80102a5');
    expect([arp.operation(AT), arp.senderAddress(AT), arp.targetAddress(AT)]).to.deep.equal([arp.ARP_REPLY, 0x0a000001, 0xc0a80102 | 0]);
    expect(take(arp.senderMac(AT), 6)).to.equal('020000000001');
  });

  it('checks length, hardware and protocol', () => {
    put(AT, '0001080006040001');
    expect(arp.check(AT, 28)).to.equal(Verdict.OK);
    expect(arp.check(AT, 27)).to.equal(Verdict.BAD_ARP);
    for (const types of ['0006080006040001', '000186dd06040001', '0001080008040001', '0001080006100001']) {
      put(AT, types);
      expect(arp.check(AT, 28), types).to.equal(Verdict.BAD_ARP);
    }
  });
});
