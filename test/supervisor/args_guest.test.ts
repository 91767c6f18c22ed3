/** Options that say what the guest is told by DHCP, DHCPv6 and router advertisements. */
import { expect } from 'chai';
import { parseArguments } from '../../supervisor/args.ts';
import { newDraft } from '../../supervisor/config/draft.ts';
import type { Options } from '../../supervisor/config/options.ts';

function options(line: string): Options {
  const invocation = parseArguments('pasta', line.split(' ').filter(Boolean));
  if (invocation.kind !== 'run') throw new Error('no run');
  return invocation.options;
}

describe('supervisor/args: what the guest is told', () => {
  for (const [line, key, expected] of [
    ['', 'advertiseDns', false],
    ['--dhcp-dns', 'advertiseDns', true],
    ['', 'advertiseSearch', false],
    ['--dhcp-search', 'advertiseSearch', true],
    ['', 'fqdn', null],
    ['--fqdn guest.example', 'fqdn', 'guest.example'],
  ] as const) {
    it(`pasta ${line}: ${key}`, () => expect(options(line)[key]).to.equal(expected));
  }

  it('a machine is told of servers and search list unless that is switched off, a namespace has them', () => {
    for (const [mode, told] of [
      ['passt', true],
      ['pasta', false],
    ] as const)
      expect([newDraft(mode).advertiseDns, newDraft(mode).advertiseSearch]).to.deep.equal([told, told]);
    expect(() => parseArguments('pasta', ['--no-dhcp-dns'])).to.throw('--no-dhcp-dns is an option of passt, not of pasta');
  });

  it('a full name is a name', () => {
    expect(() => options('--fqdn a..b')).to.throw("--fqdn 'a..b': is not a host name; use letters, digits, - and . only");
  });
});
