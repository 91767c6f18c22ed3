/** How soon guests ask again by DHCP. */
import { expect } from 'chai';
import { parseArguments } from '../../supervisor/args.ts';
import { planRenewals } from '../../supervisor/config/renewal.ts';
import { withoutDefaults } from '../support/forwarding_words.ts';

const UPLINK = { ipv4: false, ipv6: false };

function renewals(line: string, local = UPLINK): [number, number] {
  const invocation = parseArguments('pasta', withoutDefaults(line.split(' ').filter((word) => word !== '')));
  if (invocation.kind !== 'run') throw new Error('no run');
  const { renewal4, renewal6 } = planRenewals(invocation.options, local);
  return [renewal4, renewal6];
}

describe('supervisor/config/renewal', () => {
  it('a guest that has what the host has asks every five minutes', () => expect(renewals('')).to.deep.equal([300, 300]));

  it('one that has an address because the host has none, twice a minute', () => {
    expect(renewals('', { ipv4: true, ipv6: false })).to.deep.equal([30, 300]);
    expect(renewals('-a 10.0.0.5 -g 10.0.0.1', { ipv4: true, ipv6: true })).to.deep.equal([0, 30]);
  });

  it('one to which options have named all that it is told, never', () => {
    expect(renewals('-a 10.0.0.5')).to.deep.equal([300, 300]);
    expect(renewals('-g 10.0.0.1')).to.deep.equal([300, 300]);
    expect(renewals('-a 10.0.0.5 -g 10.0.0.1')).to.deep.equal([0, 300]);
    expect(renewals('-a 2001:db8::5')).to.deep.equal([300, 0]);
    const both = '-a 10.0.0.5 -g 10.0.0.1 -a 2001:db8::5';
    expect(renewals(`${both} --dhcp-dns`)).to.deep.equal([300, 300]);
    expect(renewals(`${both} --dhcp-search -D 192.0.2.53`)).to.deep.equal([300, 300]);
    expect(renewals(`${both} --dhcp-dns --dhcp-search -D 192.0.2.53 -S example.org`)).to.deep.equal([0, 0]);
    expect(renewals(`${both} --dhcp-dns --dhcp-search -D none -S none`)).to.deep.equal([0, 0]);
  });
});
