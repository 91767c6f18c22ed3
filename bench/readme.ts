/**
 * Writes the figures of README.md from a measurement: `npm run bench -- --pairs 3 --seconds 1 --json bench/figures.json`, then `node bench/readme.ts`.
 * So that no figure is typed by hand, and a test can tell whether the README shows the one that is kept.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { figure } from './table.ts';

const FIGURES = fileURLToPath(new URL('figures.json', import.meta.url));
const README = fileURLToPath(new URL('../README.md', import.meta.url));
const BEGIN = '<!-- figures: begin (bench/readme.ts writes this part) -->\n';
const END = '<!-- figures: end -->\n';

/** The metrics that are shown; the rest is for those who work on the program. */
const METRICS = new Set(['rate', 'p50', 'p99', 'delivered', 'time', 'memory']);

/** What is used of the file that `bench --json` writes; NaN is null there. */
export interface Measured {
  readonly date: string;
  /** Machine, kernel, and how it was measured. */
  readonly machine: string;
  /** What else a reader has to know of this run; written by hand. */
  readonly note?: string;
  readonly tools: Readonly<Record<string, { readonly version: string }>>;
  readonly verdicts: readonly {
    readonly row: string;
    readonly metric: string;
    readonly unit: string;
    readonly medians: Readonly<Record<string, number | null>>;
  }[];
}

/** Tools in the order of the columns, and what a column is called. */
const COLUMNS: readonly (readonly [tool: string, title: string])[] = [
  ['ravioli', 'ravioli'],
  ['pasta', 'pasta'],
  ['slirp4netns', 'slirp4netns'],
  ['older', 'ravioli, older kernel'],
  ['bare', 'no translator'],
];

/** The command that measures so again; `machine` ends with the turns. */
function commandOf(machine: string): string {
  const [, pairs = '5', seconds = '5'] = /(\d+) turns of (\d+) s$/.exec(machine) ?? [];
  return `npm run bench -- --pairs ${pairs} --seconds ${seconds}`;
}

/** The part of the README between its markers. Rows that ravioli can't do are left out.  */
export function figuresText(measured: Measured): string {
  const columns = COLUMNS.filter(([tool]) => measured.verdicts.some(({ medians }) => typeof medians[tool] === 'number'));
  const versions = Object.entries(measured.tools)
    .filter(([tool]) => tool !== 'older')
    .map(([tool, { version }]) => (tool === 'ravioli' ? `ravioli ${version.split(' ')[1]}` : version));
  const rows = measured.verdicts
    .filter(({ metric, medians }) => METRICS.has(metric) && typeof medians.ravioli === 'number')
    .map(({ row, metric, unit, medians }) => [`${row}: ${metric}`, unit, ...columns.map(([tool]) => figure(medians[tool] ?? Number.NaN))]);
  const head = ['work', 'unit', ...columns.map(([, title]) => title)];
  const note = measured.note === undefined ? '' : `; ${measured.note}`;
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    `Measured on ${measured.date.slice(0, 10)} with \`${commandOf(measured.machine)}\` (as root; the programs run as nobody): ${measured.machine}${note}.`,
    `Versions: ${versions.join('; ')}. Figures move with the machine; compare the columns of one run.`,
    '',
    line(head),
    line(head.map((_, index) => (index < 2 ? '---' : '---:'))),
    ...rows.map(line),
    '',
  ].join('\n');
}

/** The README with this text between its markers; throws when they are missing. */
export function withFigures(readme: string, text: string): string {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`README.md has no place for figures: it needs the lines ${BEGIN.trim()} and ${END.trim()}`);
  return `${readme.slice(0, begin + BEGIN.length)}\n${text}\n${readme.slice(end)}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const measured: Measured = JSON.parse(readFileSync(FIGURES, 'utf8'));
  writeFileSync(README, withFigures(readFileSync(README, 'utf8'), figuresText(measured)));
}
