/**
 * dist/ROOM.cjs: runs the bundle beside it, dist/ROOM.js, with the code that the build has made of it, dist/ROOM.code (compiled.cjs).
 * Code of another version or of other flags is refused by V8, which then compiles; so it does where there is none.
 */
import { readFileSync } from 'node:fs';
import { Script } from 'node:vm';

const bundle = __filename.replace(/\.cjs$/, '.js');

function readCode(): Buffer | undefined {
  try {
    return readFileSync(bundle.replace(/\.js$/, '.code'));
  } catch {
    return undefined;
  }
}

// In a function that returns, or the buffer would stay for as long as the program runs.
function load(): (...scope: unknown[]) => void {
  const cachedData = readCode();
  // ASCII, by esbuild.
  const script = new Script(readFileSync(bundle, 'latin1'), { filename: bundle, ...(cachedData === undefined ? {} : { cachedData }) });
  return script.runInThisContext();
}

load()(exports, require, module, __filename, __dirname);
