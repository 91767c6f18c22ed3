/**
 * The acceptance suite: `node test/podman/run.ts [--only ravioli|pasta] [PATTERN]`, as root, after build.sh and image.sh.
 *
 * Theory of operation. Two machines, alike but for the pasta that their podman finds. Every case is run in both at the same time, so the
 * second column hardly costs any (its times say little then), and what it leaves in the machine fails it too. A case that neither passes
 * is the client's trouble and counts as passed for us; `--only` leaves out a column. With RAVIOLI_TWICE=1 (.ci/run) a case that fails for us
 * alone is run once more, and that counts: podman has races of its own (build/test.ts says more).
 */
import type { Case } from './case.ts';
import { FORWARDING, TRANSFERS } from './forwarding_cases.ts';
import { GROUPS } from './group_cases.ts';
import { ADDRESSES, NAMES, OPTIONS } from './guest_cases.ts';
import { LIFECYCLE } from './lifecycle_cases.ts';
import { OUTWARD } from './outward_cases.ts';
import { SLIRP } from './slirp_cases.ts';
import { type Program, type Rig, startRig } from './rig.ts';

const SECTIONS: readonly (readonly [string, readonly Case[]])[] = [
  ['addresses, routes, interfaces', ADDRESSES],
  ['names', NAMES],
  ['outward', OUTWARD],
  ['published ports', FORWARDING],
  ['transfers', TRANSFERS],
  ['options', OPTIONS],
  ['life', LIFECYCLE],
  ['pods, builds, bridges, rootlesskit', GROUPS],
  ['slirp4netns', SLIRP],
];

interface Verdict {
  readonly milliseconds: number;
  /** Why it failed; null = it passed. */
  readonly why: string | null;
}

/** Milliseconds for a case; one that takes longer hangs. */
const LIMIT_MS = 120_000;

async function judge(one: Case, rig: Rig): Promise<Verdict> {
  const began = Date.now();
  let why: string | null = null;
  let timer: NodeJS.Timeout | undefined;
  try {
    await Promise.race([
      one.check(rig),
      new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no end after ${LIMIT_MS / 1000} s`)), LIMIT_MS);
      }),
    ]);
  } catch (error) {
    why = (error as Error).message;
  }
  clearTimeout(timer);
  const milliseconds = Date.now() - began;
  const left = await rig.leftovers();
  if (left.length > 0) why = `${why === null ? '' : `${why}; `}left behind: ${left.join(', ')}`;
  return { milliseconds, why };
}

/** The columns' verdicts on one case. */
async function judgeAll(one: Case, rigs: readonly Rig[]): Promise<Verdict[]> {
  if (one.alone !== true) return Promise.all(rigs.map((rig) => judge(one, rig)));
  const verdicts: Verdict[] = [];
  for (const rig of rigs) verdicts.push(await judge(one, rig));
  return verdicts;
}

function shown({ milliseconds, why }: Verdict): string {
  return `${why === null ? 'ok' : 'FAILED'} ${(milliseconds / 1000).toFixed(1).padStart(5)} s`.padEnd(16);
}

function show(one: Case, verdicts: readonly Verdict[], rigs: readonly Rig[]): void {
  console.log(`${verdicts.map(shown).join('')}${one.title}`);
  verdicts.forEach(({ why }, index) => {
    if (why !== null) console.log(`    ${rigs[index]?.program}: ${why.trim().replaceAll('\n', '\n    ')}`);
  });
}

/** Whether our column has failed and no other: then it is not the client's trouble. */
function isOurs([ours, ...others]: readonly Verdict[]): boolean {
  return ours?.why !== null && others.every(({ why }) => why === null);
}

async function main(): Promise<void> {
  const words = process.argv.slice(2);
  const only = words[0] === '--only' ? (words.splice(0, 2)[1] as Program) : undefined;
  const pattern = new RegExp(words[0] ?? '');
  const rigs = await Promise.all((['ravioli', 'pasta'] as const).filter((name) => only === undefined || name === only).map(startRig));
  const summary: string[] = [];
  const unsteady: string[] = [];
  let [passed, failed] = [0, 0];
  try {
    console.log(rigs.map((rig) => `${rig.program}: ${rig.version}`).join('; '));
    for (const [section, cases] of SECTIONS) {
      const chosen = cases.filter((one) => pattern.test(`${section}: ${one.title}`));
      if (chosen.length === 0) continue;
      console.log(`\n${rigs.map((rig) => rig.program.padEnd(16)).join('')}${section}`);
      const counts = rigs.map(() => 0);
      for (const one of chosen) {
        let verdicts = await judgeAll(one, rigs);
        show(one, verdicts, rigs);
        if (isOurs(verdicts) && process.env.RAVIOLI_TWICE === '1') {
          verdicts = await judgeAll(one, rigs);
          show(one, verdicts, rigs);
          if (!isOurs(verdicts)) unsteady.push(one.title);
        }
        verdicts.forEach((verdict, index) => {
          if (verdict.why === null) counts[index] = (counts[index] as number) + 1;
        });
        if (isOurs(verdicts)) failed++;
        else passed++;
      }
      summary.push(`| ${section} | ${chosen.length} | ${counts.join(' | ')} |`);
    }
    const columns = rigs.map((rig) => rig.program);
    if (unsteady.length > 0) console.log(`\nunsteady, to be mended: failed once, passed again:\n  ${unsteady.join('\n  ')}`);
    console.log(['', `| cases | number | ${columns.join(' | ')} |`, `|${' --- |'.repeat(2 + columns.length)}`, ...summary, ''].join('\n'));
  } finally {
    for (const rig of rigs) await rig.stop();
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}

await main();
