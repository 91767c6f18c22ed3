/**
 * Tells the host's opener which source address and which interface sockets to the outside have, before it is sealed.
 */
import { formatAddress } from '../shared/addresses.ts';
import type { Options } from './config/options.ts';
import type { Opener } from './opener.ts';
import { UsageError } from './usage-error.ts';

const EADDRNOTAVAIL = 99;

type Wanted = Pick<Options, 'ipv4' | 'ipv6' | 'outbound4' | 'outbound6' | 'outboundInterface4' | 'outboundInterface6'>;

/**
 * Lines for people about what can't be used yet. `indexOf` gives the number of a link by its name, null when there is none.
 * @throws UsageError for an interface that can't be used: what was meant for it must not leave by another.
 */
export function setOutbound(opener: Pick<Opener, 'setOutbound'>, options: Wanted, indexOf: (name: string) => number | null): string[] {
  const warnings: string[] = [];
  for (const [family, enabled, source, name] of [
    [4, options.ipv4, options.outbound4, options.outboundInterface4],
    [6, options.ipv6, options.outbound6, options.outboundInterface6],
  ] as const) {
    if (!enabled) continue;
    if (name !== null) {
      const link = indexOf(name);
      if (link === null)
        throw new UsageError(`--outbound-if${family} '${name}': there is no such interface; 'ip link' lists those of this host`);
      const result = opener.setOutbound(family, { link });
      if (result < 0)
        throw new UsageError(`--outbound-if${family} '${name}': sockets can't be bound to it (errno ${-result}); Linux 5.7 is needed`);
    }
    if (source === null) continue;
    const result = opener.setOutbound(family, { source });
    if (result >= 0) continue;
    const why = result === -EADDRNOTAVAIL ? 'this host does not have that address' : `it can't be used (errno ${-result})`;
    warnings.push(`--outbound ${formatAddress(source)}: ${why}; until it has, nothing of IPv${family} leaves`);
  }
  return warnings;
}
