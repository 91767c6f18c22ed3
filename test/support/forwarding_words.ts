/**
 * From words of a command line to forwarding rules, the way start-up goes: both families up, and Linux's own ephemeral ports.
 */
import { parseArguments } from '../../supervisor/args.ts';
import { planForwarding } from '../../supervisor/config/forwarding.ts';
import type { ForwardingTable } from '../../supervisor/forwarding/table.ts';
import { UsageError } from '../../supervisor/usage-error.ts';

const OPTIONS = ['-t', '-u', '-T', '-U'];

/** The words, and `none` for each option that is not among them: it would be automatic. */
export function withoutDefaults(words: readonly string[]): string[] {
  return [...words, ...OPTIONS.filter((option) => !words.includes(option)).flatMap((option) => [option, 'none'])];
}

/** The table that the words make and nothing else. `scan` = somebody can look which ports the other side listens on. Throws UsageError. */
export function tableOf(words: readonly string[], scan = true): ForwardingTable {
  const invocation = parseArguments('pasta', withoutDefaults(words));
  if (invocation.kind !== 'run') throw new Error('no run');
  const { options } = invocation;
  const { ipv4, ipv6, tcp, udp } = options;
  return planForwarding(options, { ipv4, ipv6, tcp, udp, scan, ephemeral: { first: 32_768, last: 60_999 } }, []);
}

/** What is said about the words; `accepted` when nothing is. */
export function complaintAbout(words: readonly string[], scan = true): string {
  try {
    tableOf(words, scan);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  return 'accepted';
}
