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
const QEMU = 'qemu-system-x86_64';

/** What udhcpc runs: sets the address and the route, and prints them. */
export const LEASE = `#!/bin/sh
[ "$1" = bound ] || exit 0
ip address add "$ip/$mask" dev "$interface"
ip route add default via "$router"
echo "lease $ip router $router mtu $mtu"`;

export interface VirtualMachine {
  /** QEMU; its stdout is the console. */
  readonly console: Running;
  /** Makes an empty file of that name, which the machine sees in /mnt. */
  tell(name: string): void;
  remove(): Promise<void>;
}

/** Downloads and unpacks the kernel where it is missing. */
export function prepareKernel(): void {
  execFileSync('sh', [`${FOLDER}build.sh`, SERIES], { stdio: ['ignore', 'inherit', 'inherit'] });
}

/** What connects a machine's card to passt, in QEMU's words, and what stands before them. */
export interface MachineNetwork {
  readonly program: readonly string[];
  readonly words: readonly string[];
}

export interface MachineOptions {
  /** A guest that reboots does so; otherwise the machine is gone. */
  reboots?: boolean;
}

function streamAt(path: string): MachineNetwork {
  return {
    program: [QEMU],
    words: ['-device', 'virtio-net-pci,netdev=s,romfile=', '-netdev', `stream,id=s,server=off,addr.type=unix,addr.path=${path}`],
  };
}

/**
 * Boots a machine whose network card is at the socket `network`, or has that network.
 * @param files names and contents of files that lie beside the script
 */
export function startVirtualMachine(
  network: string | MachineNetwork,
  script: string,
  files: Readonly<Record<string, string>> = {},
  given: MachineOptions = {},
): VirtualMachine {
  const { program, words } = typeof network === 'string' ? streamAt(network) : network;
  const share = mkdtempSync(`/dev/shm/ravioli-run-${process.pid}-machine-`);
  mkdirSync(`${share}/files`);
  for (const [name, content] of Object.entries({ ...files, script })) writeFileSync(`${share}/files/${name}`, content);
  cpSync(`${FOLDER}machine.sh`, `${share}/stage.sh`);
  const shared = (folder: string, tag: string, readonly: string): string[] => [
    '-virtfs',
    `local,path=${folder},mount_tag=${tag},security_model=none${readonly},multidevs=remap`,
  ];
  const line = [
    ...['-M', 'q35,accel=tcg', '-cpu', 'max', '-m', '512', '-nodefaults', '-nographic', '-serial', 'stdio'],
    ...(given.reboots === true ? [] : ['-no-reboot']),
    ...['-kernel', `${BUILT}${SERIES}/kernel`, '-initrd', `${BUILT}${SERIES}/initramfs`, '-append', 'console=ttyS0 quiet panic=-1'],
    ...shared('/', 'root', ',readonly=on'),
    ...shared(share, 'share', ''),
    ...words,
  ];
  const running = start([...program, ...line], { user: 0, timeout: 600_000 });
  return {
    console: running,
    tell: (name) => writeFileSync(`${share}/${name}`, ''),
    async remove() {
      await running.stop('SIGKILL');
      rmSync(share, { recursive: true, force: true });
    },
  };
}
