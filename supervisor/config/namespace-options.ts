/**
 * Which namespaces are the guest's: those of a process, of a path, or new ones of a command.
 */
import { UsageError } from '../usage-error.ts';
import type { Draft } from './draft.ts';
import type { OptionRow } from './options.ts';
import { decimal, wrong } from './values.ts';

/** Namespaces that exist already, by path. */
export interface GuestNamespaces {
  /** The process whose namespaces they are; null: the paths were given. */
  readonly pid: number | null;
  readonly network: string;
  /** null = none is joined. */
  readonly user: string | null;
}

/** Where `ip netns` keeps the namespaces that have names. */
const NAMED = '/run/netns/';

/** From the options and the words behind them; null = a command is run in new ones. Throws UsageError. */
export function finishNamespaces(draft: Draft, words: readonly string[]): GuestNamespaces | null {
  const { networkPath } = draft;
  const pid = words.length === 1 ? pidOf(words[0] as string) : null;
  if (networkPath !== null && words.length > 0)
    throw new UsageError(`--netns is the namespace to serve, and '${words[0]}' asks for another one; give one of the two`);
  if (networkPath === null && pid === null) {
    if (draft.userPath !== null)
      throw new UsageError('--userns has no meaning for a command that is started here; add --netns or a process ID');
    return null;
  }
  if (!draft.pidNamespace)
    throw new UsageError('--no-pidns concerns a command that is started here, not a namespace that exists; leave it out');
  if (networkPath !== null) return { pid: null, network: networkPath, user: draft.userPath };
  const user = draft.userNamespace ? (draft.userPath ?? `/proc/${pid}/ns/user`) : null;
  return { pid, network: `/proc/${pid}/ns/net`, user };
}

function pidOf(word: string): number | null {
  if (!/^[0-9]+$/.test(word)) return null;
  const pid = decimal(word);
  if (pid === null || pid < 1 || pid > 0x7fffffff) throw new UsageError(`'${word}' is not a process ID; give one from 1 to ${0x7fffffff}`);
  return pid;
}

/** In the order of `--help`. */
export const NAMESPACES: readonly OptionRow[] = [
  {
    long: 'userns',
    argument: 'PATH',
    modes: 'pasta',
    help: 'User namespace to join; default: that of the process',
    set: (draft, value) => {
      if (value === '') throw wrong('--userns', value, 'is no path');
      draft.userPath = value;
      draft.userNamespace = true;
    },
  },
  {
    long: 'netns',
    argument: 'PATH',
    modes: 'pasta',
    help: 'Network namespace to join; a name without slash is one of ip netns',
    set: (draft, value) => {
      if (value === '') throw wrong('--netns', value, 'is neither path nor name');
      draft.networkPath = value.includes('/') ? value : `${NAMED}${value}`;
    },
  },
  {
    long: 'netns-only',
    modes: 'pasta',
    help: 'Join no user namespace, and make none for a command',
    set: (draft) => {
      draft.userNamespace = false;
      draft.userPath = null;
    },
  },
  {
    long: 'no-netns-quit',
    modes: 'pasta',
    help: 'Stay when the namespace goes',
    set: (draft) => {
      draft.quitsWithNamespace = false;
    },
  },
  {
    long: 'no-pidns',
    modes: 'pasta',
    help: 'Run the command in our PID namespace',
    set: (draft) => {
      draft.pidNamespace = false;
    },
  },
];
