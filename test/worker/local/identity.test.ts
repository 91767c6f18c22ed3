import { expect } from 'chai';
import { parseIPv4, parseIPv6 } from '../../../shared/addresses.ts';
import { type IdentityFacts, isGuest4, isOurs4, isOurs6, setIdentity } from '../../../worker/local/identity.ts';
import { FACTS, words } from './link.ts';

const GATEWAY4 = words(parseIPv4('10.0.0.1'))[3] as number;
const GUEST4 = words(parseIPv4('10.0.0.2'))[3] as number;
const GATEWAY6 = words(parseIPv6('2001:db8::1'));
const LINK_LOCAL = words(parseIPv6('fe80::1'));

function set(changes: Partial<IdentityFacts>): void {
  setIdentity(16, { ...FACTS, ...changes });
}

describe('local/identity', () => {
  it('knows the guest by the address it was given', () => {
    set({});
    expect([isGuest4(GUEST4), isGuest4(GATEWAY4)]).to.deep.equal([true, false]);
    set({ guestAddress4: new Uint8Array(0) });
    expect([isGuest4(GUEST4), isGuest4(0)]).to.deep.equal([false, false]);
  });

  it('owns the gateway address where there is no uplink', () => {
    set({});
    expect([isOurs4(GATEWAY4), isOurs4(GUEST4), isOurs4(0), isOurs6(GATEWAY6, 0)]).to.deep.equal([true, false, false, true]);
  });

  it('leaves the gateway to its router where there is one', () => {
    set({ templateInterface: 2 });
    expect([isOurs4(GATEWAY4), isOurs6(GATEWAY6, 0), isOurs6(LINK_LOCAL, 0)]).to.deep.equal([false, false, true]);
    set({ templateInterface: 2, gateway6: FACTS.ourLinkLocal });
    expect(isOurs6(LINK_LOCAL, 0), "the router's link-local address").to.equal(false);
  });

  it('leaves what is mapped to the loopback of the host', () => {
    set({ mapHostLoopback4: FACTS.gateway4, mapHostLoopback6: FACTS.gateway6 });
    expect([isOurs4(GATEWAY4), isOurs6(GATEWAY6, 0), isOurs6(LINK_LOCAL, 0)]).to.deep.equal([false, false, true]);
    set({ mapHostLoopback6: FACTS.ourLinkLocal });
    expect(isOurs6(LINK_LOCAL, 0)).to.equal(false);
  });

  it('never owns an address that is not set', () => {
    const none = new Uint8Array(0);
    set({ gateway4: none, gateway6: none, ourLinkLocal: none });
    expect([isOurs4(0), isOurs4(GATEWAY4), isOurs6(new Int32Array(4), 0)]).to.deep.equal([false, false, false]);
  });
});
