/**
 * What a shell may offer as the value of an option.
 */
import type { DescribedOption } from '../../supervisor/config/option-line.ts';

/** A kind of value, or the words themselves; null: only the user can know. */
export type Values = 'file' | 'interface' | 'user' | 'process' | readonly string[] | null;

const BY_OPTION: Readonly<Record<string, Values>> = {
  interface: 'interface',
  'outbound-if4': 'interface',
  'outbound-if6': 'interface',
  isolation: ['default', 'strict'],
  runas: 'user',
  dns: ['none'],
  search: ['none'],
  'map-host-loopback': ['none'],
  'map-guest-addr': ['none'],
  clear: ['HOST', 'SPLICE'],
};
const BY_ARGUMENT: Readonly<Record<string, Values>> = { FILE: 'file', PATH: 'file', PID: 'process' };
const PORTS = ['none', 'auto', 'all'];

export function valuesOf(row: DescribedOption): Values {
  const known = BY_OPTION[row.long];
  if (known !== undefined) return known;
  if (row.argument === 'SPEC') return PORTS;
  return BY_ARGUMENT[row.argument ?? ''] ?? null;
}

/** What may follow `ravioli`, and behind it. */
export const ACTIONS: readonly { readonly words: readonly string[]; readonly next: readonly string[] }[] = [
  { words: [], next: ['doctor', 'flows', 'forward', 'pasta', 'passt', 'run', 'status'] },
  { words: ['forward'], next: ['list', 'add', 'del'] },
];
