/** RFC 3442: routes without classes. The standard does not number its sections: `format` of the option, and what the `client` does. */
import { expect } from 'chai';
import { DhcpLink, type Option } from '../support/dhcp_client.ts';
import { absent, bySection, describeTable, type Table } from './table.ts';

const TABLE: Table = {
  '§format/1': 'a route is the bits of its prefix, as many bytes as those fill, and the router',
  '§format/2': 'a router of 0.0.0.0 is the link itself',
  '§client/1': 'a client that asks for these routes and is told some is told no router beside them',
  '§client/2': 'the default route is among them then',
  '§client/3': absent('a client ignores the router where it is told routes', 'this is a server'),
  '§client/4': absent('a client that is told no routes takes the router', 'this is a server'),
};
describeTable(3442, bySection({ '§format': 2, '§client': 4 }), TABLE);

const DISCOVER: Option = [53, [1]];
const ASKS: Option = [55, [1, 121, 3, 6]];
/** 192.0.2.1 is on the link; all else is behind it. */
const ROUTES = '20c00002010000000000c0000201';

describe('RFC 3442', () => {
  it('RFC 3442 §format/1, §format/2, §client/2: a gateway outside of the prefix, on the link, and the default through it', () => {
    for (const outside of [
      { address: '10.9.8.7', prefixLength: 24 },
      { address: '192.0.2.2', prefixLength: 32 },
      { address: '192.0.2.130', prefixLength: 25 },
    ])
      expect(new DhcpLink(outside).ask({ options: [DISCOVER, ASKS] }).values.get(121)).to.equal(ROUTES);
  });

  it('RFC 3442 §client/1: no router for who asks for routes, in whatever order; one for who does not know of them', () => {
    const link = new DhcpLink({ prefixLength: 32 });
    expect(link.ask({ options: [DISCOVER, ASKS] }).codes).to.not.include(3);
    expect(link.ask({ options: [DISCOVER, [55, [3, 1, 121]]] }).codes).to.not.include(3);
    expect(link.ask({ options: [DISCOVER, [55, [1, 3]]] }).codes).to.include.members([3, 121]);
    expect(link.ask({ options: [DISCOVER] }).codes).to.include.members([3, 121]);
  });

  it('RFC 3442 §client/1: a gateway within the prefix needs no routes', () => {
    const { codes } = new DhcpLink({ prefixLength: 24 }).ask({ options: [DISCOVER, ASKS] });
    expect(codes).to.include(3);
    expect(codes).to.not.include(121);
    expect(new DhcpLink({ prefixLength: 0, address: '10.0.0.1' }).ask({ options: [DISCOVER, ASKS] }).codes).to.not.include(121);
  });
});
