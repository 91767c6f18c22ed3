// V8 at work under the sealed filter. Run by runtime.test.ts with the worker's flags: busy_worker.cjs ADDON FILTER MILLISECONDS leave|throw
// Everything here is warm-up until `seal`; then memory is allocated, kept and dropped in all sizes, functions get hot and are
// compiled, errors are thrown, texts, maps, regular expressions and big integers are made, until the time is over.
const { readFileSync } = require('node:fs');

const [addon, filter, milliseconds, end] = process.argv.slice(2);
const native = require(addon);
const arena = new ArrayBuffer(4 << 20);
const view = new DataView(arena);
native.bindArena(arena);
const program = readFileSync(filter);
new Uint8Array(arena).set(program);

// Each text is a function of its own, so that there is always something left to compile after sealing.
const functions = Array.from({ length: 600 }, (_, index) => {
  const body = Array.from({ length: 20 }, (_line, line) => `x = (Math.imul(x, ${index + line}) + ${line}) | 0;`).join('');
  return require('node:vm').runInThisContext(`(function (a) { let x = a | 0; ${body} return x; })`);
});

function now() {
  native.clock(0);
  return view.getInt32(0, true);
}

let kept = [];
let buffers = [];
let sum = 0;

function turn() {
  for (const one of functions) sum = (sum + one(sum)) | 0;
  for (let index = 0; index < 2000; index += 1) kept.push({ index, pair: [index, index + 1], text: `x${index}` });
  if (kept.length > 100_000) kept = kept.slice(0, 1000);
  buffers.push(new Uint8Array((1 << 16) + (sum & 3)), new Uint8Array(100), new Float64Array(200_000));
  if (buffers.length > 60) buffers = [];
  const map = new Map(kept.slice(0, 500).map((entry) => [entry.index, entry]));
  try {
    throw new Error(`${map.size}`);
  } catch (error) {
    sum += error.stack.length;
  }
  sum += JSON.stringify(kept.slice(0, 100)).match(/"x(\d+)"/g).length;
  sum = (sum + Number(123_456_789n ** 40n % 1_000_003n)) | 0;
  new Array(100_000).fill(sum).sort();
}

if (native.seal(0, program.length) !== 0) process.reallyExit(9);
const start = now();
while (((now() - start) | 0) < Number(milliseconds)) turn();
if (end === 'throw') throw new Error('nobody caught this');
process.reallyExit(5);
