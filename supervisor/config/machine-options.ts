/**
 * The options of passt alone: where a virtual machine connects.
 */
import { UsageError } from '../usage-error.ts';
import type { Draft } from './draft.ts';
import type { OptionRow } from './options.ts';
import { wrong } from './values.ts';

/** Checks what concerns a machine alone. `words` are those behind the options. Throws UsageError. */
export function finishMachine(draft: Draft, words: readonly string[]): void {
  if (words[0] !== undefined) throw new UsageError(`'${words[0]}': passt runs nothing and takes no arguments; leave it out`);
  if (draft.machineFd !== null && draft.socketPath !== null)
    throw new UsageError('--fd is a connected socket already, and --socket a path to listen at; give one of the two');
}

/** `-F`: a descriptor that whoever starts us has left open. */
function setMachineFd(draft: Draft, text: string): void {
  const fd = /^[0-9]{1,6}$/.test(text) ? Number(text) : -1;
  if (fd < 0) throw wrong('--fd', text, 'is no descriptor; give its number');
  if (fd <= 2) throw wrong('--fd', text, 'is a standard descriptor; give one from 3 on');
  draft.machineFd = fd;
}

/** `-s` */
function setSocketPath(draft: Draft, text: string): void {
  if (draft.socketPath !== null) throw wrong('--socket', text, `'${draft.socketPath}' was given before; give one path`);
  if (text === '') throw wrong('--socket', text, 'is no path');
  draft.socketPath = text;
}

/** `--repair-path`: there is no migration yet, so nothing is to be repaired. */
function setRepairPath(_draft: Draft, text: string): void {
  if (text !== 'none') throw wrong('--repair-path', text, "is for migration, which is not supported yet; leave it out, or give 'none'");
}

/** In the order of `--help`. */
export const MACHINE: readonly OptionRow[] = [
  {
    long: 'socket',
    short: 's',
    argument: 'PATH',
    modes: 'passt',
    help: 'Socket for the machine; default: the first free /tmp/passt_N.socket',
    set: setSocketPath,
  },
  { long: 'socket-path', short: 's', argument: 'PATH', modes: 'passt', help: 'The same as --socket', set: setSocketPath },
  { long: 'vhost-user', modes: 'passt', help: 'Speak vhost-user on the socket', awaits: 'machine' },
  { long: 'print-capabilities', modes: 'passt', help: 'Print what kind of back-end this is, as vhost-user back-ends do' },
  { long: 'repair-path', argument: 'PATH', modes: 'passt', help: "Socket of the repair helper, or 'none'", set: setRepairPath },
  { long: 'migrate-exit', modes: 'passt', help: 'Leave after a migration', awaits: 'migration' },
  { long: 'migrate-no-linger', modes: 'passt', help: 'Close sockets after a migration', awaits: 'migration' },
  { long: 'fd', short: 'F', argument: 'NUMBER', modes: 'passt', help: 'Connected socket of the machine, or a tap', set: setMachineFd },
  {
    long: 'one-off',
    short: '1',
    modes: 'passt',
    help: 'Leave with the first client',
    set: (draft) => {
      draft.oneOff = true;
    },
  },
];
