import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { jailPath, openerPath } from './rooms.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));
const kernel = join(folder, '../../.cache/vm/6.1/kernel');

/** Boots a machine whose root is an initramfs of jail, opener, probe and initramfs_init.c; what its console said. */
function boot(): string[] {
  const work = mkdtempSync(join(tmpdir(), 'ravioli-initramfs-'));
  try {
    const root = join(work, 'root');
    for (const path of ['', 'dev', 'proc']) mkdirSync(join(root, path));
    execFileSync('mknod', [join(root, 'dev/console'), 'c', '5', '1']);
    execFileSync('mknod', ['-m', '666', join(root, 'dev/null'), 'c', '1', '3']);
    execFileSync('cc', ['-O1', '-static', '-o', join(root, 'probe'), join(folder, 'probe.c')]);
    execFileSync('cc', ['-O1', '-static', '-o', join(root, 'init'), join(folder, 'initramfs_init.c')]);
    copyFileSync(jailPath, join(root, 'jail'));
    copyFileSync(openerPath, join(root, 'opener'));
    execFileSync('chmod', ['-R', 'a+rX', root]);
    execFileSync('sh', ['-c', 'cd root && find . | busybox cpio -o -H newc 2>/dev/null >../initramfs'], { cwd: work });
    const machine = ['-M', 'q35,accel=tcg', '-cpu', 'max', '-m', '512', '-nodefaults', '-nographic', '-no-reboot', '-serial', 'stdio'];
    const images = ['-kernel', kernel, '-initrd', join(work, 'initramfs'), '-append', 'console=ttyS0 quiet panic=-1'];
    const console = execFileSync('qemu-system-x86_64', [...machine, ...images], { stdio: ['ignore', 'pipe', 'inherit'], timeout: 60_000 });
    return console.toString().split(/\r?\n/);
  } finally {
    rmSync(work, { recursive: true });
  }
}

describe('native/empty_root, where the root is the initramfs', function () {
  this.timeout(90_000);

  it('empties the root of worker and opener there, too', () => {
    execFileSync('sh', [join(folder, '../vm/build.sh'), '6.1'], { stdio: ['ignore', 'ignore', 'inherit'] });
    expect(boot().filter((line) => /^[\w /.]+: /.test(line))).to.deep.equal([
      'step: 1 0',
      'read /probe: 0 ',
      'step: 2 0',
      'list /: - ',
      'list ..: - ',
      'read /probe: 2 ',
      'read /../probe: 2 ',
      'read /proc/self/status: 2 ',
      'seal: 0',
      'entries: 2',
      'done: 1',
    ]);
  });
});
