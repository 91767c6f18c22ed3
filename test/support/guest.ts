/**
 * A machine with another kernel: QEMU without acceleration boots a Debian kernel on this machine's own files, runs one script, and is gone.
 *
 * Theory of operation. The guest's root is this machine's, read-only over 9p: every program and the project itself are at their usual
 * paths. /tmp, /run and /dev/shm are fresh. There are the namespaces of topology.ts: the guest's first one is `host`, and one is named `far`.
 * Script, output and status travel through a shared folder. It takes some seconds to boot, and runs about ten times slower than the machine.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { run, UNPRIVILEGED } from './processes.ts';

const FOLDER = fileURLToPath(new URL('../vm/', import.meta.url));
const BUILT = fileURLToPath(new URL('../../.cache/vm/', import.meta.url));

export interface GuestOptions {
  /** Kernel series of Debian: `6.1` (default) or `6.12`. */
  series?: string;
  /** Shell script that root runs first, for servers in `far`; it must leave them in the background. */
  root?: string;
  /** Who runs the script. Default UNPRIVILEGED. */
  user?: number;
  /** More words for the kernel's command line. */
  append?: string;
  /** Milliseconds until the machine is switched off. Default 120,000. */
  timeout?: number;
}

export interface GuestResult {
  /** What the script wrote to stdout and stderr. */
  output: string;
  code: number;
  /** Seconds from the kernel's start to the script's. */
  booted: number;
}

/**
 * Boots a machine and runs a shell script in it.
 * @param script runs in a folder of its own that holds `files`
 * @param files names and contents of files for the script
 * @throws when the machine did not come to the end of the script: with what its console said
 */
export async function runGuest(
  script: string,
  files: Readonly<Record<string, string>> = {},
  given: GuestOptions = {},
): Promise<GuestResult> {
  const series = given.series ?? '6.1';
  execFileSync('sh', [`${FOLDER}build.sh`, series], { stdio: ['ignore', 'inherit', 'inherit'] });
  const share = mkdtempSync(`/dev/shm/ravioli-run-${process.pid}-guest-`);
  try {
    mkdirSync(`${share}/files`);
    for (const [name, content] of Object.entries({ ...files, script })) writeFileSync(`${share}/files/${name}`, content);
    if (given.root !== undefined) writeFileSync(`${share}/files/root.sh`, given.root);
    writeFileSync(`${share}/user`, `${given.user ?? UNPRIVILEGED}\n`);
    cpSync(`${FOLDER}stage.sh`, `${share}/stage.sh`);
    const machine = [
      '-M',
      'q35,accel=tcg',
      '-cpu',
      'max',
      '-smp',
      '2',
      '-m',
      '2048',
      '-nodefaults',
      '-nographic',
      '-no-reboot',
      '-serial',
      'stdio',
    ];
    const kernel = ['-kernel', `${BUILT}${series}/kernel`, '-initrd', `${BUILT}${series}/initramfs`];
    const shared = (path: string, tag: string, readonly: string): string[] => [
      '-virtfs',
      `local,path=${path},mount_tag=${tag},security_model=none${readonly},multidevs=remap`,
    ];
    const line = [
      ...machine,
      ...kernel,
      '-append',
      `console=ttyS0 quiet panic=-1 ${given.append ?? ''}`,
      ...shared('/', 'root', ',readonly=on'),
      ...shared(share, 'share', ''),
    ];
    const result = await run(['qemu-system-x86_64', ...line], { user: 0, timeout: given.timeout ?? 120_000 });
    if (!existsSync(`${share}/code`)) {
      throw new Error(
        `the guest ${result.timedOut ? 'ran out of time' : 'ended'} before its script did: ${result.stderr}${result.stdout.slice(-3000)}`,
      );
    }
    return {
      output: readFileSync(`${share}/output`, 'utf8'),
      code: Number(readFileSync(`${share}/code`, 'utf8')),
      booted: Number(readFileSync(`${share}/booted`, 'utf8')),
    };
  } finally {
    rmSync(share, { recursive: true, force: true });
  }
}
