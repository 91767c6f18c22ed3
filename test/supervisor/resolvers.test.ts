import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { formatAddress } from '../../shared/addresses.ts';
import { parseResolvers, readResolvers } from '../../supervisor/host/resolvers.ts';

function servers(text: string): string {
  return parseResolvers(text).servers.map(formatAddress).join(' ');
}

describe('supervisor/host/resolvers', () => {
  for (const [what, text, expected] of [
    ['both families in order', 'nameserver 192.0.2.53\nnameserver 2001:db8::53\n', '192.0.2.53 2001:db8::53'],
    ['no newline at the end', 'nameserver 127.0.0.53', '127.0.0.53'],
    ['tabs and blanks', 'nameserver\t 192.0.2.53 \t\n', '192.0.2.53'],
    ['carriage returns', 'nameserver 192.0.2.53\r\n', '192.0.2.53'],
    ['a scope', 'nameserver fe80::1%eth0\n', 'fe80::1'],
    ['the unspecified address, which means this host', 'nameserver 0.0.0.0\nnameserver ::\n', '127.0.0.1 ::1'],
    ['comments', '# nameserver 1.1.1.1\n;nameserver 1.1.1.2\nnameserver 1.1.1.3 # x\n', '1.1.1.3'],
    ['nonsense', 'nameserver\nnameserver x\nnameserver 1.2.3\n', ''],
    ['an indented line', ' nameserver 1.1.1.1\n', ''],
    ['a longer keyword', 'nameservers 1.1.1.1\n', ''],
    [
      'three per family',
      '1 2 3 4'
        .split(' ')
        .map((n) => `nameserver 192.0.2.${n}\nnameserver 2001:db8::${n}\n`)
        .join(''),
      '192.0.2.1 2001:db8::1 192.0.2.2 2001:db8::2 192.0.2.3 2001:db8::3',
    ],
  ] as const) {
    it(`servers: ${what}`, () => expect(servers(text)).to.equal(expected));
  }

  for (const [what, text, expected] of [
    ['the first search line only', 'search a b\nsearch c\n', 'a b'],
    ['six domains', 'search 1 2 3 4 5 6 7\n', '1 2 3 4 5 6'],
    ['domain where there is no search', 'domain example.org\n', 'example.org'],
    ['search before domain', 'domain x\nsearch y z\n', 'y z'],
    ['none', 'options ndots:1\n', ''],
  ] as const) {
    it(`search: ${what}`, () => expect(parseResolvers(text).search.join(' ')).to.equal(expected));
  }

  it('takes any text', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constant('nameserver '), fc.constant('search '), fc.constant('\n'), fc.string())), (parts) => {
        const { servers: found, search } = parseResolvers(parts.join(''));
        expect(found.length).to.be.at.most(6);
        expect(search.length).to.be.at.most(6);
      }),
    );
  });

  it('reads the file, and does without', () => {
    const directory = mkdtempSync(join(tmpdir(), 'resolvers-'));
    try {
      writeFileSync(join(directory, 'resolv.conf'), 'nameserver 192.0.2.53\nsearch example.org\n');
      expect(readResolvers(join(directory, 'resolv.conf'))?.search).to.eql(['example.org']);
      expect(readResolvers(join(directory, 'missing'))).to.equal(null);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
