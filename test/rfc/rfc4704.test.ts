/** RFC 4704: the guest's full name by DHCPv6. */
import { expect } from 'chai';
import { ascii, Dhcpv6Link, hex, iaNa, ME, type Option, told } from '../support/dhcpv6_client.ts';
import { absent, bySection, describeTable, differs, type Table } from './table.ts';

const TABLE: Table = {
  '§4.1/1': 'bits of flags that mean nothing are 0',
  '§4.1/2': 'S and N are not both set',
  '§4.1/3': 'O is set where the server does not what the client wants',
  '§4.2/1': 'the name is encoded as DNS has it, and not compressed',
  '§4.2/2': 'a name that is whole has an end',
  '§5': absent('what clients do', 'this is a server'),
  '§6/1': 'a client that says nothing of names is told none',
  '§6/2': differs('one that gives a name, and does not ask for the option, neither', 'clients that give one and forget to ask take it'),
  '§6/3': 'a server that has its own idea of the name tells that',
  '§6.1': absent('the server updates DNS', 'it serves no zone of any kind'),
};
describeTable(4704, bySection({ '§4.1': 3, '§4.2': 2, '§5': 1, '§6': 3, '§6.1': 1 }), TABLE);

const NAME = hex([5, ...ascii('guest'), 7, ...ascii('example'), 3, ...ascii('org'), 0]);
const ASKS: Option = [6, [0, 39]];

function nameFor(...options: Option[]): string | undefined {
  return told(new Dhcpv6Link({ fqdn: 'guest.example.org' }).ask({ type: 1, options: [ME, iaNa(7), ...options] }), 39);
}

describe('RFC 4704', () => {
  it('RFC 4704 §4.1/1, §4.1/2, §4.1/3, §6/3: flags', () => {
    for (const [asked, answered] of [
      [0, '04'],
      [1, '06'],
      [2, '04'],
      [4, '04'],
      [0xf8, '04'],
      [0xff, '06'],
    ] as const)
      expect(nameFor(ASKS, [39, [asked, 1, 97]]), `${asked}`).to.equal(answered + NAME);
  });

  it('RFC 4704 §4.2/1, §4.2/2: the name', () => expect(nameFor(ASKS)).to.equal(`04${NAME}`));

  it('RFC 4704 §6/1, §6/2: who is told', () => {
    expect(nameFor()).to.equal(undefined);
    expect(nameFor([6, [0, 23]])).to.equal(undefined);
    expect(nameFor([39, []])).to.equal(undefined);
    expect(nameFor([39, [0]])).to.equal(`04${NAME}`);
    expect(nameFor([6, [0, 23]], [39, [0]])).to.equal(`04${NAME}`);
    expect(told(new Dhcpv6Link().ask({ type: 1, options: [ME, ASKS, [39, [1]]] }), 39), 'there is none').to.equal(undefined);
  });
});
