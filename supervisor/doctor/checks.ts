/**
 * What a run needs of the machine: each check looks at one thing, says what it has found, and what to do where that is not enough. Pure.
 */
import { type Finding, ok } from './finding.ts';
import {
  checkDescriptors,
  checkLowPorts,
  checkPing,
  checkResolver,
  checkRuntimeFolder,
  checkSubordinateIds,
  checkUplink,
} from './settings.ts';
import { checkConfinement, checkLandlock, checkSeccomp, checkUserNamespaces } from './security.ts';
import type { World } from './world.ts';

/** One requirement. */
export interface Check {
  readonly name: string;
  readonly look: (world: World) => Finding;
}

const ARCHITECTURES: ReadonlySet<string> = new Set(['x64', 'arm64']);
const OLDEST_KERNEL = [5, 10] as const;
const OLDEST_RUNTIME = 24;
/** From when kernels have what makes transfers into the guest faster: USO, SO_PEEK_OFF for TCP. */
const FAST_KERNEL = [6, 9] as const;

function isAtLeast(release: string, [major, minor]: readonly [number, number]): boolean {
  const [, first, second] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return Number(first) > major || (Number(first) === major && Number(second) >= minor);
}

function checkKernel({ release }: World): Finding {
  if (!isAtLeast(release, OLDEST_KERNEL)) return { verdict: 'failure', found: `Linux ${release}`, cure: 'use Linux 5.10 or newer' };
  if (isAtLeast(release, FAST_KERNEL)) return ok(`Linux ${release}`);
  return { verdict: 'note', found: `Linux ${release}: transfers into the guest are slower than with Linux 6.9 or newer`, cure: null };
}

function checkMachine({ architecture }: World): Finding {
  if (ARCHITECTURES.has(architecture)) return ok(architecture);
  return { verdict: 'failure', found: `${architecture} has no build`, cure: 'use x86-64 or arm64' };
}

function checkRuntime({ runtime }: World): Finding {
  if (Number.parseInt(runtime, 10) >= OLDEST_RUNTIME) return ok(`Node.js ${runtime}`);
  return {
    verdict: 'failure',
    found: `Node.js ${runtime} is too old`,
    cure: "install the runtime that belongs to this version: 'npm ci', or 'npm install -g' of the tarball",
  };
}

function checkTun(world: World): Finding {
  switch (world.access('/dev/net/tun')) {
    case 'granted':
      return ok('/dev/net/tun may be opened');
    case 'missing':
      return {
        verdict: 'failure',
        found: '/dev/net/tun is missing',
        cure: "run 'modprobe tun' as root; give a container the device (--device /dev/net/tun)",
      };
    case 'denied':
      return {
        verdict: 'failure',
        found: '/dev/net/tun may not be opened by this user',
        cure: "run 'chmod 0666 /dev/net/tun' as root, as distributions have it",
      };
  }
}

function checkTrial(world: World): Finding {
  const { code, stderr } = world.trial();
  if (code === 0) return ok('a command in a new namespace has got its network');
  const line = stderr.trim().split('\n').at(-1) ?? '';
  return {
    verdict: 'failure',
    found: `a command in a new namespace has failed: ${line === '' ? `status ${code}, and nothing was said` : line.replace(/^pasta: /, '')}`,
    cure: "look at what failed above; else run 'pasta --debug --config-net -- true'",
  };
}

/** All, in the order in which they are shown: what the others build on comes first. */
export const CHECKS: readonly Check[] = [
  { name: 'kernel', look: checkKernel },
  { name: 'machine', look: checkMachine },
  { name: 'runtime', look: checkRuntime },
  { name: 'tun device', look: checkTun },
  { name: 'user namespaces', look: checkUserNamespaces },
  { name: 'seccomp', look: checkSeccomp },
  { name: 'Landlock', look: checkLandlock },
  { name: 'confinement', look: checkConfinement },
  { name: 'open files', look: checkDescriptors },
  { name: 'ping', look: checkPing },
  { name: 'low ports', look: checkLowPorts },
  { name: 'uplink', look: checkUplink },
  { name: 'DNS', look: checkResolver },
  { name: 'runtime folder', look: checkRuntimeFolder },
  { name: 'subordinate ids', look: checkSubordinateIds },
  { name: 'trial', look: checkTrial },
];
