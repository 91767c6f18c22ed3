/** RFC 3397: the search list. */
import { expect } from 'chai';
import { DhcpLink, type Option } from '../support/dhcp_client.ts';
import { bySection, describeTable, type Table } from './table.ts';

const TABLE: Table = {
  '§2/1': 'names are in the order in which they are to be searched',
  '§2/2': 'they are written as in DNS, with pointers to what stands before',
  '§2/3': 'pointers count from the first byte of the value, options of one code put together',
  '§2/4': 'a list that does not fit is as long as fits, and no name is cut',
};
describeTable(3397, bySection({ '§2': 4 }), TABLE);

const DISCOVER: Option = [53, [1]];

/** The names in a value, pointers followed. */
function namesIn(value: string): string[] {
  const bytes = Buffer.from(value, 'hex');
  const nameAt = (from: number): [string, number] => {
    const labels: string[] = [];
    let at = from;
    for (; bytes[at] !== 0; ) {
      const length = bytes[at] as number;
      if (length >= 0xc0) {
        const pointer = ((length & 0x3f) << 8) | (bytes[at + 1] as number);
        if (pointer >= from) throw new Error(`a pointer from ${from} to ${pointer}`);
        return [[...labels, nameAt(pointer)[0]].join('.'), at + 2];
      }
      labels.push(bytes.subarray(at + 1, at + 1 + length).toString('latin1'));
      at += 1 + length;
    }
    return [labels.join('.'), at + 1];
  };
  const names: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [name, next] = nameAt(at);
    names.push(name);
    at = next;
  }
  return names;
}

function told(search: string[], ...options: Option[]): string {
  return new DhcpLink({ search }).ask({ options: [DISCOVER, ...options] }).values.get(119) ?? '';
}

describe('RFC 3397', () => {
  it('RFC 3397 §2/1, §2/2: the standard’s example', () => {
    const value = told(['eng.apple.com.', 'marketing.apple.com.']);
    expect(Buffer.from(value, 'hex').toString('latin1')).to.equal('\x03eng\x05apple\x03com\x00\x09marketing\xc0\x04');
  });

  it('RFC 3397 §2/3: a pointer from one option into the one before', () => {
    const search = [`${'x'.repeat(63)}.${'y'.repeat(63)}.example`, `${'z'.repeat(63)}.${'w'.repeat(63)}.test`, 'a.test', 'b.example'];
    const value = told(search, [57, [5, 220]]);
    expect(value.length / 2).to.be.above(255);
    expect(namesIn(value)).to.deep.equal(search);
  });

  it('RFC 3397 §2/4: as many whole names as there is room for', () => {
    const search = Array.from({ length: 6 }, (_, index) => `${'x'.repeat(60)}${index}.${'y'.repeat(30)}${index}`);
    const names = namesIn(told(search));
    expect(names).to.have.length.within(1, 5);
    expect(names).to.deep.equal(search.slice(0, names.length));
    expect(namesIn(told(search, [57, [5, 220]]))).to.deep.equal(search);
  });

  it('RFC 3397 §2/4: it is behind all else, so it takes no room of that, unless it was asked for', () => {
    const link = new DhcpLink({ search: ['example'], mtu: 1500 });
    expect(link.ask({ options: [DISCOVER] }).codes.at(-1)).to.equal(119);
    expect(link.ask({ options: [DISCOVER, [55, [119]]] }).codes.slice(0, 2)).to.deep.equal([53, 119]);
  });
});
