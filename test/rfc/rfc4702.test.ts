/** RFC 4702: the full name of the client. */
import { expect } from 'chai';
import { ascii, DhcpLink, hex, type Option } from '../support/dhcp_client.ts';
import { absent, bySection, describeTable, differs, type Table } from './table.ts';

const TABLE: Table = {
  '§2.1/1': 'reserved bits are 0',
  '§2.1/2': 'E says how the name is written, and is the client’s',
  '§2.1/3': 'N says that the server updates nothing, and S is 0 then',
  '§2.1/4': 'O says that the server does otherwise than the client wanted by S',
  '§2.2': 'the RCODEs are 255',
  '§2.3': 'a name is whole: it ends with the empty label',
  '§2.3.1': 'a name in ASCII is written as text, for who writes so',
  '§4/1': differs(
    'only a client that sends its name is told one',
    'it is told where --fqdn is given, and many clients that take a name send none',
  ),
  '§4/2': 'a server can tell another name than the client’s',
  '§4/3': absent('a server updates DNS', 'no DNS is ours to update'),
};
describeTable(4702, bySection({ '§2.1': 4, '§2.2': 1, '§2.3': 1, '§2.3.1': 1, '§4': 3 }), TABLE);

const DISCOVER: Option = [53, [1]];
const NAME = '0567756573740765 78616d706c6500'.replace(' ', '');
const [S, O, E, N] = [1, 2, 4, 8];

function told(...options: Option[]): string | undefined {
  return new DhcpLink({ fqdn: 'guest.example' }).ask({ options: [DISCOVER, ...options] }).values.get(81);
}

/** The option of a client. */
function sent(flags: number, name: Iterable<number> = []): Option {
  return [81, [flags, 0, 0, ...name]];
}

describe('RFC 4702', () => {
  it('RFC 4702 §4/1, §2.2, §2.3: a name for who asks for none too, in the canonical form', () => {
    expect(told()).to.equal(hex([E | N, 255, 255]) + NAME);
    expect(new DhcpLink().ask({ options: [DISCOVER, sent(E)] }).codes, 'without --fqdn').to.not.include(81);
  });

  it('RFC 4702 §2.1/1, §2.1/3, §2.1/4: nobody’s DNS is updated, and who wanted that is overridden', () => {
    const flags = (of: number): number => Number.parseInt((told(sent(of)) as string).slice(0, 2), 16);
    expect(flags(E)).to.equal(E | N);
    expect(flags(E | S)).to.equal(E | N | O);
    expect(flags(E | N)).to.equal(E | N);
    expect(flags(E | 0xf0 | O)).to.equal(E | N);
  });

  it('RFC 4702 §2.1/2, §2.3.1: the name as text for who writes text', () => {
    expect(told(sent(0, ascii('x.example')))).to.equal(hex([N, 255, 255, ...ascii('guest.example')]));
    expect(told(sent(S))).to.equal(hex([N | O, 255, 255, ...ascii('guest.example')]));
  });

  it('RFC 4702 §4/2: our name, not the client’s, and whatever the client wrote for one', () => {
    expect(told(sent(E, ascii('\x05other\x00')))).to.equal(hex([E | N, 255, 255]) + NAME);
    expect(told([81, []])).to.equal(hex([E | N, 255, 255]) + NAME);
    expect(told([81, [E]])).to.equal(hex([E | N, 255, 255]) + NAME);
    expect(told(sent(E, new Uint8Array(252).fill(255)))).to.equal(hex([E | N, 255, 255]) + NAME);
  });

  it('RFC 4702 §2.3: the longest name', () => {
    const fqdn = [63, 63, 63, 61].map((length) => 'n'.repeat(length)).join('.');
    const value = new DhcpLink({ fqdn }).ask({ options: [DISCOVER, [57, [5, 220]]] }).values.get(81) as string;
    expect(value.length / 2).to.equal(3 + 255);
    expect(value.endsWith('00')).to.equal(true);
  });
});
