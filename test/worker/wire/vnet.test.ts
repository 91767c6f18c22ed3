import { expect } from 'chai';
import { Verdict } from '../../../worker/wire/verdict.ts';
import * as vnet from '../../../worker/wire/vnet.ts';
import { freshArena, put, take } from './arena.ts';

const AT = 64;

describe('wire/vnet', () => {
  beforeEach(freshArena);

  it('writes the header that Linux writes for the same frame', () => {
    vnet.writeVnet(AT, vnet.VIRTIO_NET_HDR_F_NEEDS_CSUM, vnet.VIRTIO_NET_HDR_GSO_UDP_L4, 42, 100, 34, 6);
    expect(take(AT, 11)).to.equal('01052a00640022000600a5');
    expect([
      vnet.flags(AT),
      vnet.gsoType(AT),
      vnet.headerLength(AT),
      vnet.gsoSize(AT),
      vnet.checksumStart(AT),
      vnet.checksumOffset(AT),
    ]).to.deep.equal([1, 5, 42, 100, 34, 6]);
  });

  it('writes a header without offloads', () => {
    vnet.writeVnetPlain(AT);
    expect(take(AT, 11)).to.equal('00000000000000000000a5');
    expect(vnet.check(AT)).to.equal(Verdict.OK);
  });

  it('refuses GSO types that were not asked for, and GSO without a size', () => {
    for (let type = 0; type < 256; type++) {
      put(AT, `01${type.toString(16).padStart(2, '0')}000001000000`);
      const known = [0, 1, 4, 5].includes(type & 0x7f);
      expect(vnet.check(AT), `type ${type}`).to.equal(known ? Verdict.OK : Verdict.BAD_VNET);
      put(AT + 4, '0000');
      expect(vnet.check(AT), `type ${type} size 0`).to.equal((type & 0x7f) === 0 ? Verdict.OK : Verdict.BAD_VNET);
    }
  });
});
