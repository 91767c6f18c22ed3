/**
 * `ravioli doctor`: its words, and what is shown of the findings. Pure.
 */
import { eachOption } from '../config/getopt.ts';
import { type DescribedOption, optionLine } from '../config/option-line.ts';
import { printable, UsageError } from '../usage-error.ts';
import type { Finding, Verdict } from './finding.ts';

/** In the order of `--help`. */
export const DOCTOR_OPTIONS: readonly DescribedOption[] = [
  { long: 'json', help: 'Print JSON, in one line' },
  { long: 'help', short: 'h', help: 'Print this text' },
];

const NAME_WIDTH = 12;

/** The text of `ravioli doctor --help`. */
export const DOCTOR_HELP = `Usage: ravioli doctor [--json]

Looks whether this machine lets this user have what ravioli needs: a verdict for each requirement, what was found, and what to do.
Nothing is changed. The last check runs a command in a namespace with a network.

Options:
${DOCTOR_OPTIONS.map((row) => optionLine(row, NAME_WIDTH)).join('\n')}

Exit status: 0 when nothing has failed, 1 when something has, or the words are wrong.
`;

/** A check by name, and what it has found. */
export interface Row extends Finding {
  readonly name: string;
}

/**
 * The words behind `ravioli doctor`.
 * @throws UsageError
 */
export function parseDoctor(words: readonly string[]): { readonly json: boolean; readonly help: boolean } {
  const asked = { json: false, help: false };
  const [excess] = eachOption(DOCTOR_OPTIONS, words, ({ row }) => {
    if (row.long === 'json') asked.json = true;
    else asked.help = true;
    return false;
  }) as readonly string[];
  if (excess !== undefined) throw new UsageError(`'${excess}' is one word too many; give none, or --json`);
  return asked;
}

const SEVERITY: readonly Verdict[] = ['ok', 'note', 'warning', 'failure'];

/** The worst of all. */
export function verdictOf(rows: readonly Row[]): Verdict {
  return SEVERITY[Math.max(0, ...rows.map(({ verdict }) => SEVERITY.indexOf(verdict)))] as Verdict;
}

/** One object, in one line. */
export function reportAsJson(rows: readonly Row[]): string {
  return `${JSON.stringify({ verdict: verdictOf(rows), checks: rows })}\n`;
}

const SUMMARIES: Readonly<Record<Verdict, string>> = {
  ok: 'Everything is there.',
  note: 'Everything that is needed is there.',
  warning: 'It works, but not everything does.',
  failure: 'It does not work here.',
};

/** A table; what to do stands below what was found. */
export function reportForPeople(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ name }) => name.length));
  const lines = rows.flatMap(({ verdict, name, found, cure }) => [
    `${verdict.padEnd(7)}  ${name.padEnd(width)}  ${printable(found)}`,
    ...(cure === null ? [] : [`${' '.repeat(7 + 2 + width + 2)}> ${printable(cure)}`]),
  ]);
  return `${lines.join('\n')}\n\n${SUMMARIES[verdictOf(rows)]}\n`;
}
