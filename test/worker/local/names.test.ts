import { expect } from 'chai';
import { parseAddress } from '../../../shared/addresses.ts';
import {
  compressedSearchList,
  formerSearchList,
  formerServer6Count,
  openNames,
  searchList,
  server4Count,
  server6Count,
  servers4,
  servers6,
  setNames,
} from '../../../worker/local/names.ts';

const addresses = (...texts: string[]): Uint8Array[] => texts.map((text) => parseAddress(text) as Uint8Array);

describe('local/names', () => {
  beforeEach(openNames);

  it('keeps the servers of each family in their order, three at most', () => {
    setNames(addresses('2001:db8::1', '192.0.2.1', '2001:db8::2', '192.0.2.2', '192.0.2.3', '192.0.2.4'), []);
    expect([server4Count, server6Count]).to.deep.equal([3, 2]);
    expect([...servers4]).to.deep.equal([0xc0000201 | 0, 0xc0000202 | 0, 0xc0000203 | 0]);
    expect([...servers6.slice(0, 8)]).to.deep.equal([0x20010db8, 0, 0, 1, 0x20010db8, 0, 0, 2]);
  });

  it('replaces what was said before', () => {
    setNames(addresses('192.0.2.1', '2001:db8::1'), ['a.example', 'b.example']);
    expect([searchList.ends.length, compressedSearchList.bytes.length]).to.deep.equal([2, 15]);
    setNames([], []);
    expect([server4Count, server6Count, searchList.bytes.length, compressedSearchList.bytes.length]).to.deep.equal([0, 0, 0, 0]);
  });

  it('keeps what was told before, until it begins anew', () => {
    setNames(addresses('2001:db8::1', '2001:db8::2'), ['a.example', 'b.example']);
    setNames(addresses('2001:db8::2'), ['b.example']);
    expect([formerServer6Count, formerSearchList.ends.length]).to.be.deep.equal([1, 1]);
    openNames();
    expect([server4Count, server6Count, searchList.ends.length]).to.deep.equal([0, 0, 0]);
    expect([formerServer6Count, formerSearchList.ends.length]).to.deep.equal([0, 0]);
    setNames(addresses('2001:db8::3'), ['c.example']);
    expect([formerServer6Count, formerSearchList.ends.length], 'nothing was told').to.deep.equal([0, 0]);
  });
});
