/**
 * A machine whose kernel enforces a policy on the product (test/vm/hardened.sh, test/isolation/trespass.c): it is booted once, the functional
 * suite runs, then each trespass is tried in the place of a room, with all other layers off; the kernel's log tells what was denied.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runGuest } from './guest.ts';
import { program } from './load.ts';
import { UNPRIVILEGED } from './processes.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');
const BUILT = `${ROOT}/.cache/vm/trespass`;
const MARK = 'trespass:';

export interface Policy {
  readonly security: 'apparmor' | 'selinux';
  /** Words for the kernel's command line. */
  readonly append: string;
  /** What test/vm/SECURITY.sh, which loads it, finds beside itself. */
  readonly files: Readonly<Record<string, string>>;
  /** Where the product lies in the guest. */
  readonly root: string;
  /** What a denial looks like in the kernel's log. */
  readonly denial: RegExp;
}

/** What is tried in whose place. */
export type Trespass = readonly [label: string, attack: string];

export interface Hardened {
  /** Lines of the functional suite. */
  readonly cases: readonly string[];
  /** What was denied to others than trespassers. */
  readonly denials: readonly string[];
  /** For each trespass in its order: whether it worked, and the denials. */
  readonly trespasses: readonly { readonly worked: boolean; readonly denials: readonly string[] }[];
  /** All that was said, for people. */
  readonly output: string;
}

/** What is run once the policy is in force. */
function insideOf(policy: Policy, trespasses: readonly Trespass[]): string {
  const tries = trespasses.map(
    ([label, attack]) => `./trespass ${policy.security} ${label} ${attack} $prey &
wait $!
echo "${MARK} $! $?"`,
  );
  return `export ROOT=${policy.root} PLUG=/tmp/files/plug AS_USER='setpriv --reuid=${UNPRIVILEGED} --regid=${UNPRIVILEGED} --clear-groups'
sh ./hardened.sh
sleep 1000 &
prey=$!
${tries.join('\n')}
kill $prey
# The kernel writes its log a little later, in order.
timeout 20 sh -c "until dmesg | grep -q 'pid=$! '; do sleep 0.1; done"
dmesg | grep ' audit: '`;
}

/** Boots, runs everything and reads what was said. */
export async function runHardened(policy: Policy, trespasses: readonly Trespass[], timeout: number): Promise<Hardened> {
  mkdirSync(`${ROOT}/.cache/vm`, { recursive: true });
  execFileSync('cc', ['-std=gnu11', '-O1', '-Wall', '-Wextra', '-Werror', '-static', '-o', BUILT, `${ROOT}/test/isolation/trespass.c`]);
  const files = {
    'hardened.sh': readFileSync(`${ROOT}/test/vm/hardened.sh`, 'utf8'),
    load: readFileSync(`${ROOT}/test/vm/${policy.security}.sh`, 'utf8'),
    trespasses: insideOf(policy, trespasses),
    ...policy.files,
  };
  const script = `ROOT=${ROOT}\ncp ${program('plug')} plug\ncp ${BUILT} trespass\n. ./load\nenter trespasses\n`;
  const { output } = await runGuest(script, files, { user: 0, append: policy.append, timeout });
  const denials = output.split('\n').filter((line) => policy.denial.test(line));
  const pids = [...output.matchAll(/^trespass: (\d+) (\d+)$/gm)].map(([, pid, code]) => ({ pid: `pid=${pid} `, worked: code === '0' }));
  return {
    cases: output.split('\n').filter((line) => /^(ok|failed) /.test(line)),
    denials: denials.filter((line) => !pids.some(({ pid }) => line.includes(pid))),
    trespasses: pids.map(({ pid, worked }) => ({ worked, denials: denials.filter((line) => line.includes(pid)) })),
    output,
  };
}

/** Where the product lies for guests that share this machine's files. */
export const SHARED_ROOT = ROOT;
