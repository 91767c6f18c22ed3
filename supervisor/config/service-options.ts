/**
 * The options about the process itself: foreground and background, its ID, its log.
 */
import type { Draft } from './draft.ts';
import type { OptionRow } from './options.ts';
import { decimal, wrong } from './values.ts';

const MIN_LOG_SIZE = 40_960;
const MAX_LOG_SIZE = 0xffff_ffff;

function setLogSize(draft: Draft, value: string): void {
  const size = decimal(value);
  if (size === null || size < MIN_LOG_SIZE || size > MAX_LOG_SIZE)
    throw wrong('--log-size', value, `is no such size; give ${MIN_LOG_SIZE} to ${MAX_LOG_SIZE} bytes`);
  draft.logSize = size;
}

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
  {
    long: 'log-file',
    short: 'l',
    argument: 'PATH',
    modes: 'both',
    help: "Log to this file; default in the background: the host's log",
    set: (draft, value) => {
      draft.logFile = value;
    },
  },
  {
    long: 'log-size',
    argument: 'BYTES',
    modes: 'both',
    help: 'Cut the oldest lines of the log file at this size; default 1048576',
    set: setLogSize,
  },
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
