/**
 * Which way sockets to the outside leave: source address and interface, per family.
 */
import { familyOf } from '../../shared/addresses.ts';
import type { Draft } from './draft.ts';
import type { OptionRow } from './options.ts';
import { addressValue, interfaceValue } from './values.ts';

/** `-o`: once per family, the last one counts. */
function setOutbound(draft: Draft, text: string): void {
  const address = addressValue('--outbound', text, ['unspecified', 'loopback', 'multicast', 'broadcast']);
  draft[familyOf(address) === 4 ? 'outbound4' : 'outbound6'] = address;
}

/** In the order of `--help`. */
export const OUTBOUND: readonly OptionRow[] = [
  {
    long: 'outbound',
    short: 'o',
    argument: 'ADDRESS',
    modes: 'both',
    help: 'Source address of connections to the outside, once per family',
    set: setOutbound,
  },
  {
    long: 'outbound-if4',
    argument: 'NAME',
    modes: 'both',
    help: 'Interface that IPv4 leaves by',
    set: (draft, value) => {
      draft.outboundInterface4 = interfaceValue('--outbound-if4', value);
    },
  },
  {
    long: 'outbound-if6',
    argument: 'NAME',
    modes: 'both',
    help: 'Interface that IPv6 leaves by',
    set: (draft, value) => {
      draft.outboundInterface6 = interfaceValue('--outbound-if6', value);
    },
  },
];
