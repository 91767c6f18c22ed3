/**
 * The acceptance suite: `node test/podman/run.ts [--only ravioli|pasta] [PATTERN]`, as root, after build.sh and image.sh.
 *
 * Theory of operation. Two machines, alike but for the pasta that their podman finds. Every case is run in both at the same time, so the
 * second column hardly costs any (its times say little then), and what it leaves in the machine fails it too. A case that neither passes is the client's trouble and counts as passed for us; `--only`
 * leaves out a column.
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

async function main(): Promise<void> {
  const words = process.argv.slice(2);
  const only = words[0] === '--only' ? (words.splice(0, 2)[1] as Program) : undefined;
  const pattern = new RegExp(words[0] ?? '');
  const rigs = await Promise.all((['ravioli', 'pasta'] as const).filter((name) => only === undefined || name === only).map(startRig));
  const summary: string[] = [];
  let [passed, failed] = [0, 0];
  try {
    console.log(rigs.map((rig) => `${rig.program}: ${rig.version}`).join('; '));
    for (const [section, cases] of SECTIONS) {
      const chosen = cases.filter((one) => pattern.test(`${section}: ${one.title}`));
      if (chosen.length === 0) continue;
      console.log(`\n${rigs.map((rig) => rig.program.padEnd(16)).join('')}${section}`);
      const counts = rigs.map(() => 0);
      for (const one of chosen) {
        const verdicts = await judgeAll(one, rigs);
        console.log(`${verdicts.map(shown).join('')}${one.title}`);
        verdicts.forEach((verdict, index) => {
          if (verdict.why === null) counts[index] = (counts[index] as number) + 1;
          else console.log(`    ${rigs[index]?.program}: ${verdict.why.trim().replaceAll('\n', '\n    ')}`);
        });
        if (verdicts[0]?.why === null || verdicts.slice(1).some((verdict) => verdict.why !== null)) passed++;
        else failed++;
      }
      summary.push(`| ${section} | ${chosen.length} | ${counts.join(' | ')} |`);
    }
    const columns = rigs.map((rig) => rig.program);
    console.log(['', `| cases | number | ${columns.join(' | ')} |`, `|${' --- |'.repeat(2 + columns.length)}`, ...summary, ''].join('\n'));
  } finally {
    for (const rig of rigs) await rig.stop();
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}

await main();
