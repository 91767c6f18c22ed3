import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { encodeProgram } from '../../policies/compile.ts';
import { Verdict } from '../../policies/generate.ts';
import { policyOf, programOf } from '../support/policies.ts';

const COMPILER = fileURLToPath(new URL('../../policies/compile.ts', import.meta.url));
const WORKER = fileURLToPath(new URL('../../policies/worker.policy', import.meta.url));

function compile(...options: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [COMPILER, ...options], { encoding: 'utf8' });
}

/** Passt's filter allows 32 calls and pasta's 42 (source of 2025-05). */
const FEWEST_OF_PEERS = 32;

describe('policies/compile', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'ravioli-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  it('writes struct sock_filter[]', () => {
    const out = join(folder, 'worker.filter');
    expect(compile('--arch', 'aarch64', WORKER, '--binary', out).stderr).to.equal('');
    expect(readFileSync(out)).to.deep.equal(Buffer.from(encodeProgram(programOf('worker', 'aarch64'))));
  });

  it('writes a header whose array a C compiler sees as the same bytes', () => {
    const { stdout } = compile('--arch', 'x86_64', WORKER, '--c-header', 'worker_filter');
    const source = `${stdout}#include <stdio.h>\nint main(void) { return fwrite(worker_filter, sizeof worker_filter, 1, stdout) != 1; }\n`;
    writeFileSync(join(folder, 'print.c'), source);
    execFileSync('cc', ['-Wall', '-Werror', '-o', join(folder, 'print'), join(folder, 'print.c')]);
    expect(execFileSync(join(folder, 'print'))).to.deep.equal(Buffer.from(encodeProgram(programOf('worker', 'x86_64'))));
  });

  it('lets a development build log what the policy would kill, but not what is foreign', () => {
    const out = join(folder, 'log.filter');
    compile('--arch', 'x86_64', WORKER, '--default', 'log', '--binary', out);
    const verdicts = new Set<number>();
    const bytes = readFileSync(out);
    for (let at = 0; at < bytes.length; at += 8) if (bytes.readUInt16LE(at) === 0x06) verdicts.add(bytes.readUInt32LE(at + 4));
    expect([...verdicts]).to.include.members([Verdict.LOG, Verdict.KILL_PROCESS, Verdict.ALLOW]);
  });

  it('answers a wrong command line and a wrong policy with one line', () => {
    expect(compile('--arch', 'sparc', WORKER, '--binary', '/dev/null')).to.include({ status: 1, stdout: '' });
    const file = join(folder, 'wrong.policy');
    writeFileSync(file, 'default kill  # why\nforeign kill  # why\nread: allow\n');
    const { status, stderr } = compile('--arch', 'x86_64', file, '--binary', '/dev/null');
    expect(status).to.equal(1);
    expect(stderr).to.equal(
      `${file}: line 3: 'read: allow' is not \`CALL: ACTION [if CONDITION]  # REASON\`; every line needs its reason\n`,
    );
  });

  for (const architecture of ['x86_64', 'aarch64'] as const) {
    it(`leaves the worker fewer calls than passt has, none of which makes or finds anything (${architecture})`, () => {
      const allowed = new Set(
        policyOf('worker', architecture)
          .rules.filter((rule) => rule.action.kind === 'allow')
          .map((rule) => rule.call),
      );
      expect(allowed.size).to.be.lessThan(FEWEST_OF_PEERS);
      for (const call of [
        'socket',
        'socketpair',
        'connect',
        'bind',
        'listen',
        'accept',
        'open',
        'openat',
        'openat2',
        'clone',
        'clone3',
        'fork',
        'vfork',
        'execve',
        'execveat',
        'kill',
        'tgkill',
        'ptrace',
        'prctl',
        'fcntl',
        'dup',
        'memfd_create',
        'io_uring_enter',
      ]) {
        expect(allowed.has(call), call).to.equal(false);
      }
    });
  }
});
