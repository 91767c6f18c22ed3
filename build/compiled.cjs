// Compiles every function of a bundle, so that no start has to: compiled.cjs BUNDLE CODE. To be run by the runtime and with the flags that the
// bundle will run by, since V8 refuses code of others. Compiling takes 8-12 ms of a start, reading this 1.
const { readFileSync, writeFileSync } = require('node:fs');
const { setFlagsFromString } = require('node:v8');
const { Script } = require('node:vm');

const [bundle, code] = process.argv.slice(2);
// Put back before the code is written, which names the flags of that moment.
setFlagsFromString('--no-lazy');
const script = new Script(readFileSync(bundle, 'latin1'), { filename: bundle });
setFlagsFromString('--lazy');
writeFileSync(code, script.createCachedData());
