/**
 * The entry of the commands that give no network: `pesto`, and the words of `ravioli` that talk to runs or look at the machine. argv: the
 * runtime, this program, which of them it is, and what the user wrote. Its bundle is dist/commands.cjs.
 */
import { writeSync } from 'node:fs';
import { RAVIOLI_HELP, versionText } from './config/help.ts';
import { forward, pesto, Refused } from './control/change.ts';
import { flows, status } from './control/show.ts';
import { doctor } from './doctor/doctor.ts';
import { EXIT_FAILED, EXIT_REFUSED } from './exit-status.ts';
import { runNetwork } from './service/network.ts';
import { UsageError } from './usage-error.ts';

const text = (shown: string) => async (): Promise<void> => {
  writeSync(1, shown);
};

const COMMANDS: ReadonlyMap<string, (words: readonly string[]) => Promise<void>> = new Map(
  Object.entries({
    pesto,
    forward,
    status,
    flows,
    doctor,
    run: runNetwork,
    '': text(RAVIOLI_HELP),
    '-h': text(RAVIOLI_HELP),
    '--help': text(RAVIOLI_HELP),
    '--version': text(versionText('ravioli')),
  }),
);

const [command = '', ...words] = process.argv.slice(2);
const perform =
  COMMANDS.get(command) ??
  (() => Promise.reject(new UsageError(`'${command}' is no command; 'ravioli --help' shows those that there are`)));
perform(words).catch((error: unknown) => {
  if (!(error instanceof UsageError)) throw error;
  writeSync(2, `${command === 'pesto' ? command : 'ravioli'}: ${error.message}\n`);
  process.exitCode = error instanceof Refused && command !== 'pesto' ? EXIT_REFUSED : EXIT_FAILED;
});
