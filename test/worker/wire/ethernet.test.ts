import { expect } from 'chai';
import * as ethernet from '../../../worker/wire/ethernet.ts';
import { freshArena, put, take } from './arena.ts';

const AT = 64;
const OURS = 16;
const GUEST = 24;

describe('wire/ethernet', () => {
  beforeEach(() => {
    freshArena();
    put(OURS, '020000000001');
    put(GUEST, 'fe0000ffff02');
  });

  it('writes a header byte for byte', () => {
    ethernet.writeEthernet(AT, GUEST, OURS, ethernet.ETHERTYPE_IPV6);
    expect(take(AT, 15)).to.equal('fe0000ffff0202000000000186dda5');
    expect(ethernet.etherType(AT)).to.equal(ethernet.ETHERTYPE_IPV6);
    expect(ethernet.equalMac(ethernet.destinationMac(AT), GUEST)).to.equal(true);
    expect(ethernet.equalMac(ethernet.sourceMac(AT), OURS)).to.equal(true);
  });

  it('compares all six bytes', () => {
    ethernet.copyMac(AT, OURS);
    for (let i = 0; i < 6; i++) {
      put(AT, '020000000001');
      put(AT + i, '77');
      expect(ethernet.equalMac(AT, OURS), `byte ${i}`).to.equal(false);
    }
  });

  it('tells group addresses, broadcast and zero', () => {
    ethernet.writeBroadcastMac(AT);
    expect(take(AT, 7)).to.equal('ffffffffffffa5');
    expect([AT, OURS].map(ethernet.isGroupMac)).to.deep.equal([true, false]);
    put(AT, '000000000000');
    expect(ethernet.isZeroMac(AT)).to.equal(true);
    put(AT, '000000000001');
    expect(ethernet.isZeroMac(AT)).to.equal(false);
  });
});
