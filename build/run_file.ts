/**
 * Runs the test files named on the command line with mocha, and writes each result as a line of JSON to descriptor 3.
 */
import { writeSync } from 'node:fs';
import Mocha from 'mocha';

export interface Result {
  readonly state: 'passed' | 'failed' | 'pending';
  readonly title: string;
  /** What a failed test said. */
  readonly error?: string;
}

function tell(result: Result): void {
  writeSync(3, `${JSON.stringify(result)}\n`);
}

/** No reporter of mocha's: nothing is to be printed, and the numbers are the caller's. */
class Silent {}

const mocha = new Mocha({ timeout: 20_000, reporter: Silent as unknown as Mocha.ReporterConstructor });
for (const file of process.argv.slice(2)) mocha.addFile(file);
await mocha.loadFilesAsync();
const runner = mocha.run((failures) => process.exit(failures > 0 ? 1 : 0));
runner.on('pass', (test) => tell({ state: 'passed', title: test.fullTitle() }));
runner.on('pending', (test) => tell({ state: 'pending', title: test.fullTitle() }));
runner.on('fail', (test, error) => tell({ state: 'failed', title: test.fullTitle(), error: error.stack ?? String(error) }));
