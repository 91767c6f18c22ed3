/**
 * The options about the process itself: foreground and background, its ID.
 */
import type { OptionRow } from './options.ts';

/** In the order of `--help`. */
export const SERVICE: readonly OptionRow[] = [
  {
    long: 'foreground',
    short: 'f',
    modes: 'both',
    help: 'Do not run in the background',
    set: (draft) => {
      draft.foreground = true;
    },
  },
  {
    long: 'stderr',
    short: 'e',
    modes: 'both',
    help: 'Without effect',
    set: (draft) => {
      draft.warnings.push('--stderr has no effect and will be dropped; leave it out');
    },
  },
  { long: 'log-file', short: 'l', argument: 'PATH', modes: 'both', help: 'Log to this file', awaits: 'logs' },
  { long: 'log-size', argument: 'BYTES', modes: 'both', help: 'Rotate the log file at this size', awaits: 'logs' },
  { long: 'runas', argument: 'UID[:GID]', modes: 'both', help: 'Run as this user when started by root', awaits: 'background' },
  {
    long: 'pid',
    short: 'P',
    argument: 'FILE',
    modes: 'both',
    help: 'Write the process ID to this file once the network is ready',
    set: (draft, value) => {
      draft.pidFile = value;
    },
  },
  { long: 'chroot-fallback', modes: 'both', help: 'Change the root where it cannot be pivoted', awaits: 'background' },
];
