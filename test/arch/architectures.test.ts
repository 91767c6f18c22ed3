/**
 * All that is in C, and all policies, compile for the other architecture too, without a warning (which the Makefile makes an error).
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ROOT } from './tree.ts';

const COMPILERS = { aarch64: 'aarch64-linux-gnu-gcc', x86_64: 'x86_64-linux-gnu-gcc' } as const;
/** e_machine of ELF. */
const MACHINES = { aarch64: 183, x86_64: 62 } as const;

function present(compiler: string): boolean {
  return (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, compiler)));
}

describe('arch: architectures', function () {
  this.timeout(120_000);

  for (const architecture of ['aarch64', 'x86_64'] as const) {
    it(`compiles for ${architecture}`, function () {
      const compiler = COMPILERS[architecture];
      if (!present(compiler)) this.skip();
      const out = mkdtempSync(join(tmpdir(), `ravioli-${architecture}-`));
      try {
        for (const room of ['prelude', 'opener']) {
          const text = execFileSync(
            process.execPath,
            ['policies/compile.ts', '--arch', architecture, `policies/${room}.policy`, '--c-header', `${room}_filter`],
            { cwd: ROOT, encoding: 'utf8' },
          );
          expect(text).to.contain(`${room}_filter`);
          execFileSync('sh', ['-c', `cat > ${out}/${room}_filter.h`], { input: text });
        }
        execFileSync('sh', ['-c', `"$0" build/launcher_options.ts > ${out}/options.h`, process.execPath], { cwd: ROOT });
        execFileSync('make', ['-s', '-C', 'native', `CC=${compiler}`, `ARCH=${architecture}`, `OUT=${out}`], {
          cwd: ROOT,
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        for (const name of ['jail', 'opener', 'start', 'worker.node', 'supervisor.node']) {
          expect(readFileSync(join(out, name)).readUInt16LE(18), name).to.equal(MACHINES[architecture]);
        }
      } finally {
        rmSync(out, { recursive: true });
      }
    });

    it(`compiles the worker's policy for ${architecture}`, () => {
      const out = mkdtempSync(join(tmpdir(), 'ravioli-policy-'));
      const file = join(out, 'worker.filter');
      execFileSync(process.execPath, ['policies/compile.ts', '--arch', architecture, 'policies/worker.policy', '--binary', file], {
        cwd: ROOT,
      });
      // struct sock_filter has 8 bytes; the kernel takes 4096 of them.
      const bytes = readFileSync(file).length;
      rmSync(out, { recursive: true });
      expect(bytes % 8).to.equal(0);
      expect(bytes / 8).to.be.within(50, 4096);
    });
  }
});
