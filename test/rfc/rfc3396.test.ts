/** RFC 3396: options that are longer than an option. */
import { expect } from 'chai';
import { DhcpLink, ip, type Option, optionList } from '../support/dhcp_client.ts';
import { bySection, describeTable, type Table } from './table.ts';

const TABLE: Table = {
  '§6/1': 'what is too long for an option is in several of that code, in order',
  '§6/2': 'all of them have bytes, and all but the last 255',
  '§6/3': 'a value is split where it is full, whatever it means',
  '§7': 'options of one code are one value',
  '§5': 'the options of the areas follow each other: options, file, sname',
};
describeTable(3396, bySection({ '§5': 1, '§6': 3, '§7': 1 }), TABLE);

const DISCOVER: Option = [53, [1]];
const REQUEST: Option = [53, [3]];
const LONG = Array.from({ length: 6 }, (_, index) => `${'x'.repeat(60)}${index}.${'y'.repeat(60)}${index}`);

describe('RFC 3396', () => {
  it('RFC 3396 §6/1, §6/2, §6/3: a search list of more than 255 bytes', () => {
    const link = new DhcpLink({ search: LONG });
    const reply = link.ask({ options: [DISCOVER, [57, [5, 220]]] });
    const value = reply.values.get(119) as string;
    expect(value.length / 2).to.equal(6 * (1 + 61 + 1 + 61 + 1));
    // 240 bytes of header and cookie, type, identifier, time, mask, router, the end, and four options of names.
    expect(reply.length).to.equal(240 + 3 + 6 + 6 + 6 + 6 + 1 + value.length / 2 + 2 * Math.ceil(value.length / 2 / 255));
    for (let name = 0; name < 6; name++) expect(value).to.contain(Buffer.from(`x${name}`).toString('hex'));
  });

  it('RFC 3396 §7: an address and a type in pieces', () => {
    const wish = ip('10.1.1.1');
    const pieces: Option[] = [[50, wish.slice(0, 1)], REQUEST, [50, wish.slice(1, 3)], [50, []], [50, wish.slice(3)]];
    expect(new DhcpLink().ask({ options: pieces }).values.get(53)).to.equal('06');
    expect(new DhcpLink().ask({ options: [[53, []], REQUEST] }).values.get(53)).to.equal('05');
  });

  it('RFC 3396 §7: a list of what is wanted in pieces, of which 255 bytes are looked at', () => {
    const search = ['example'];
    const link = new DhcpLink({ mtu: 1500, search });
    expect(link.ask({ options: [DISCOVER, [55, [26]], [12, [65]], [55, [119, 3]]] }).codes.slice(0, 4)).to.deep.equal([53, 26, 119, 3]);
    expect(link.ask({ options: [DISCOVER, [55, new Uint8Array(255).fill(44)], [55, [119]]] }).codes.slice(0, 2)).to.deep.equal([53, 54]);
  });

  it('RFC 3396 §5: pieces in three areas', () => {
    const wish = ip('10.1.1.1');
    const area = (...bytes: number[]): Uint8Array => Uint8Array.from([...optionList([50, bytes]), 255]);
    const parts = { file: area(wish[1] as number), sname: area(...wish.slice(2)) };
    expect(new DhcpLink().ask({ ...parts, options: [REQUEST, [52, [3]], [50, wish.slice(0, 1)]] }).values.get(53)).to.equal('06');
    const right = ip('192.0.2.2');
    const inOrder = { file: area(right[1] as number), sname: area(...right.slice(2)) };
    expect(new DhcpLink().ask({ ...inOrder, options: [REQUEST, [52, [3]], [50, right.slice(0, 1)]] }).values.get(53)).to.equal('05');
    const reversed = { sname: area(right[1] as number), file: area(...right.slice(2)) };
    expect(new DhcpLink().ask({ ...reversed, options: [REQUEST, [52, [3]], [50, right.slice(0, 1)]] }).values.get(53)).to.equal('06');
  });
});
