/**
 * Whether the command is interactive, found without loading anything: most runs are not (node:tty alone takes 3 ms).
 */
import type { Native } from '../native/supervisor.d.ts';
import { hasForeground } from './signals.ts';

/**
 * True when both ends of the dialogue are terminals, and the user's keys are meant for us. With only one of them, or in the background,
 * somebody else uses the terminal (`pasta -- dmesg | less`), and the command gets what the user gave.
 */
export function isInteractive(native: Native): boolean {
  return [0, 1].every((fd) => typeof native.terminalModes(fd) !== 'number') && hasForeground('self');
}
