/**
 * Compiles a policy to a seccomp program. At build time only; nothing of this folder but its output is shipped.
 *
 *   node policies/compile.ts                                                  all that a build for this machine needs, see OUTPUTS
 *   node policies/compile.ts --arch x86_64|aarch64 POLICY --c-header NAME     prints `static const struct sock_filter NAME[]`
 *   node policies/compile.ts --arch x86_64|aarch64 POLICY --binary OUT        writes struct sock_filter[] to OUT
 *
 * `--default log` lets the kernel log what the policy would kill; for a development build, never for a release.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { assemble, type Instruction } from './assemble.ts';
import { generate } from './generate.ts';
import { ARCHITECTURES, type Architecture, type Numbers, type Policy, parsePolicy } from './parse.ts';

/** The table of system call numbers of `architecture`. */
export function readNumbers(architecture: Architecture): Numbers {
  return JSON.parse(readFileSync(new URL(`./${architecture}.json`, import.meta.url), 'utf8')) as Numbers;
}

/** Reads and parses a policy file. Throws an Error of one line, `FILE: line N: …`. */
export function readPolicy(file: string, architecture: Architecture): Policy {
  const text = readFileSync(file, 'utf8');
  try {
    return parsePolicy(text, architecture, readNumbers(architecture));
  } catch (error) {
    throw new Error(`${file}: ${(error as Error).message}`);
  }
}

/** The seccomp program of a parsed policy. */
export function compilePolicy(policy: Policy, architecture: Architecture): Instruction[] {
  return assemble(generate(policy, architecture));
}

/** struct sock_filter[] in the byte order of both architectures, little-endian. */
export function encodeProgram(program: readonly Instruction[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(program.length * 8));
  program.forEach(({ code, jt, jf, k }, index) => {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, jt);
    view.setUint8(index * 8 + 3, jf);
    view.setUint32(index * 8 + 4, k, true);
  });
  return new Uint8Array(view.buffer);
}

/** A C header with the program as a constant array called `name`. */
export function renderHeader(program: readonly Instruction[], name: string, source: string): string {
  const lines = program.map(
    ({ code, jt, jf, k }) => `  { 0x${code.toString(16).padStart(2, '0')}, ${jt}, ${jf}, 0x${k.toString(16).padStart(8, '0')} },`,
  );
  return [
    `/* Made from ${source} by policies/compile.ts; edit that. */`,
    '#include <linux/filter.h>',
    `static const struct sock_filter ${name}[] = {`,
    ...lines,
    '};',
    '',
  ].join('\n');
}

/** What a build compiles: the two filters that C programs install themselves, and the one that the supervisor sends to the worker. */
const OUTPUTS = [
  { room: 'prelude', header: 'prelude_filter', out: 'native/out/prelude_filter.h' },
  { room: 'opener', header: 'opener_filter', out: 'native/out/opener_filter.h' },
  { room: 'worker', header: undefined, out: 'dist/worker.filter' },
] as const;

function buildAll(): void {
  const architecture: Architecture = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const root = new URL('../', import.meta.url);
  for (const { room, header, out } of OUTPUTS) {
    const program = compilePolicy(readPolicy(fileURLToPath(new URL(`policies/${room}.policy`, root)), architecture), architecture);
    const to = new URL(out, root);
    mkdirSync(new URL('.', to), { recursive: true });
    writeFileSync(to, header === undefined ? encodeProgram(program) : renderHeader(program, header, `policies/${room}.policy`));
  }
}

const USAGE = 'use: compile.ts --arch x86_64|aarch64 POLICY (--c-header NAME | --binary OUT) [--default log]';

function main(argv: readonly string[]): void {
  if (argv.length === 0) {
    buildAll();
    return;
  }
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { arch: { type: 'string' }, 'c-header': { type: 'string' }, binary: { type: 'string' }, default: { type: 'string' } },
  });
  const [file] = positionals;
  const architecture = values.arch as Architecture;
  const oneOutput = (values['c-header'] === undefined) !== (values.binary === undefined);
  const knownDefault = values.default === undefined || values.default === 'log';
  if (!ARCHITECTURES.includes(architecture) || file === undefined || positionals.length > 1 || !oneOutput || !knownDefault)
    throw new Error(USAGE);
  const strict = readPolicy(file, architecture);
  const program = compilePolicy(values.default === 'log' ? { ...strict, fallback: { kind: 'log' } } : strict, architecture);
  if (values.binary !== undefined) writeFileSync(values.binary, encodeProgram(program));
  else process.stdout.write(renderHeader(program, values['c-header'] as string, file));
}

if (import.meta.main) {
  try {
    main(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
