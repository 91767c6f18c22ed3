/**
 * Compiles every function of a bundle, so that no start has to: compiled.ts BUNDLE CODE. To be run by the runtime and with the flags that
 * the bundle will run by, since V8 refuses code of others. Compiling takes 8-12 ms of a start, reading this 1.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';

const [bundle, code] = process.argv.slice(2) as [string, string];
// Put back before the code is written, which names the flags of that moment.
setFlagsFromString('--no-lazy');
const script = new Script(readFileSync(bundle, 'latin1'), { filename: bundle });
setFlagsFromString('--lazy');
writeFileSync(code, script.createCachedData());
