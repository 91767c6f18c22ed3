/**
 * A virtual machine behind passt: QEMU without acceleration boots a Debian kernel on this machine's own files (test/vm), with a virtio network
 * card on the socket, and runs one script as root. What that writes is on the console.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Running, start } from './processes.ts';

const FOLDER = fileURLToPath(new URL('../vm/', import.meta.url));
const BUILT = fileURLToPath(new URL('../../.cache/vm/', import.meta.url));
const SERIES = '6.1';

export interface VirtualMachine {
  /** QEMU; its stdout is the console. */
  readonly console: Running;
  remove(): Promise<void>;
}

/** Downloads and unpacks the kernel where it is missing. */
export function prepareKernel(): void {
  execFileSync('sh', [`${FOLDER}build.sh`, SERIES], { stdio: ['ignore', 'inherit', 'inherit'] });
}

/**
 * Boots a machine whose network card is at `path`; it connects again, after a second, when passt has gone.
 * @param files names and contents of files that lie beside the script
 */
export function startVirtualMachine(path: string, script: string, files: Readonly<Record<string, string>> = {}): VirtualMachine {
  const share = mkdtempSync(`/dev/shm/ravioli-run-${process.pid}-machine-`);
  mkdirSync(`${share}/files`);
  for (const [name, content] of Object.entries({ ...files, script })) writeFileSync(`${share}/files/${name}`, content);
  cpSync(`${FOLDER}machine.sh`, `${share}/stage.sh`);
  const shared = (folder: string, tag: string, readonly: string): string[] => [
    '-virtfs',
    `local,path=${folder},mount_tag=${tag},security_model=none${readonly},multidevs=remap`,
  ];
  const line = [
    ...['-M', 'q35,accel=tcg', '-cpu', 'max', '-m', '512', '-nodefaults', '-nographic', '-no-reboot', '-serial', 'stdio'],
    ...['-kernel', `${BUILT}${SERIES}/kernel`, '-initrd', `${BUILT}${SERIES}/initramfs`, '-append', 'console=ttyS0 quiet panic=-1'],
    ...shared('/', 'root', ',readonly=on'),
    ...shared(share, 'share', ''),
    ...['-device', 'virtio-net-pci,netdev=s', '-netdev', `stream,id=s,server=off,addr.type=unix,addr.path=${path}`],
  ];
  const running = start(['qemu-system-x86_64', ...line], { user: 0, timeout: 180_000 });
  return {
    console: running,
    async remove() {
      await running.stop('SIGKILL');
      rmSync(share, { recursive: true, force: true });
    },
  };
}
