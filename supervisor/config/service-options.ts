/**
 * The options about the process itself: foreground and background, its ID, its log.
 */
import type { Draft } from './draft.ts';
import type { OptionRow } from './options.ts';
import { decimal, pathValue, wrong } from './values.ts';

const MIN_LOG_SIZE = 40_960;
const MAX_LOG_SIZE = 0xffff_ffff;
/** A day. */
const MAX_INTERVAL = 86_400;

function setLogSize(draft: Draft, value: string): void {
  const size = decimal(value);
  if (size === null || size < MIN_LOG_SIZE || size > MAX_LOG_SIZE)
    throw wrong('--log-size', value, `is no such size; give ${MIN_LOG_SIZE} to ${MAX_LOG_SIZE} bytes`);
  draft.logSize = size;
}

function setStatistics(draft: Draft, value: string): void {
  const seconds = decimal(value);
  if (seconds === null || seconds > MAX_INTERVAL) throw wrong('--stats', value, `is no such time; give 0 to ${MAX_INTERVAL} seconds`);
  draft.statistics = seconds;
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
      draft.logFile = pathValue('--log-file', value);
    },
  },
  {
    long: 'log-size',
    argument: 'BYTES',
    modes: 'both',
    help: 'Cut the oldest lines of the log file at this size; default 1048576',
    set: setLogSize,
  },
  {
    long: 'runas',
    argument: 'UID[:GID]',
    modes: 'both',
    help: 'Started by root: run as this user; LOGIN[:GROUP] will do as well',
    set: (draft, value) => {
      draft.runAs = value;
    },
  },
  {
    long: 'pid',
    short: 'P',
    argument: 'FILE',
    modes: 'both',
    help: 'Write the process ID to this file once the network is ready',
    set: (draft, value) => {
      draft.pidFile = pathValue('--pid', value);
    },
  },
  {
    long: 'stats',
    argument: 'SECONDS',
    modes: 'both',
    help: 'Show counters at most this often while something happens, in the foreground; 0: never',
    set: setStatistics,
  },
  // The rooms need no other way: on an initramfs, where a root can't be pivoted, they do without (native/empty_root.c).
  { long: 'chroot-fallback', modes: 'both', help: 'Without effect: an initramfs needs no other way', set: () => {} },
];
