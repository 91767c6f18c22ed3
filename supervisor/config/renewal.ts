/**
 * How soon a guest that sets itself up asks again whether what it was told by DHCP and DHCPv6 is still true. Pure.
 *
 * Hardly any client lets a server make it ask, so one that may have to move is told to ask often. What options have named does not change,
 * and is the guest's for ever, as with the peer.
 */
import type { Options } from './options.ts';

/** Seconds. */
const RENEWAL = 300;
/** Of an address that stands in for that of a host without a network. */
const RENEWAL_IN_LOCAL_MODE = 30;

/** The options that decide here. */
export type RenewalOptions = Pick<Options, 'address4' | 'address6' | 'gateway4' | 'dns' | 'search' | 'advertiseDns' | 'advertiseSearch'>;

/** Seconds after which a client asks again, 0 = never; `local`: the family has no uplink. */
export function planRenewals(
  options: RenewalOptions,
  local: { readonly ipv4: boolean; readonly ipv6: boolean },
): { readonly renewal4: number; readonly renewal6: number } {
  const { address4, address6, gateway4, dns, search, advertiseDns, advertiseSearch } = options;
  const isNamed = (!advertiseDns || dns !== null) && (!advertiseSearch || search !== null);
  const renewal = (isFixed: boolean, isLocal: boolean): number => (isFixed && isNamed ? 0 : isLocal ? RENEWAL_IN_LOCAL_MODE : RENEWAL);
  return {
    renewal4: renewal(address4 !== null && gateway4 !== null, local.ipv4),
    renewal6: renewal(address6 !== null, local.ipv6),
  };
}
