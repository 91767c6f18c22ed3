/**
 * The project's policies, parsed and compiled, and the kernel's word on them.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Instruction } from '../../policies/assemble.ts';
import { compilePolicy, encodeProgram, readPolicy } from '../../policies/compile.ts';
import type { Architecture, Policy } from '../../policies/parse.ts';

/** What askKernel answers for a call that ends the process. */
export const SIGSYS_ANSWER = 'signal 31';

export const ROOMS = ['prelude', 'worker', 'opener'] as const;
export type Room = (typeof ROOMS)[number];

/** The architecture the tests run on. */
export const OURS: Architecture = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

export function policyOf(room: Room, architecture: Architecture): Policy {
  return readPolicy(fileURLToPath(new URL(`../../policies/${room}.policy`, import.meta.url)), architecture);
}

export function programOf(room: Room, architecture: Architecture): Instruction[] {
  return compilePolicy(policyOf(room, architecture), architecture);
}

/** Compiles a C file of test/support, runs `use` with the program's path, and removes it. */
export function withProgram<T>(source: string, use: (program: string, folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'ravioli-'));
  try {
    const program = join(folder, 'program');
    execFileSync('cc', ['-O1', '-Wall', '-Wextra', '-Werror', '-o', program, fileURLToPath(new URL(source, import.meta.url))]);
    return use(program, folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The kernel's answers (`allow`, `errno N`, `signal N`) to calls, each a line for seccomp_probe.c. */
export function askKernel(program: readonly Instruction[], calls: readonly string[]): string[] {
  return withProgram('./seccomp_probe.c', (probe, folder) => {
    const filter = join(folder, 'filter');
    writeFileSync(filter, encodeProgram(program));
    const answers = execFileSync(probe, [filter], { input: `${calls.join('\n')}\n`, encoding: 'utf8', maxBuffer: 1 << 24 });
    return answers.trimEnd().split('\n');
  });
}
