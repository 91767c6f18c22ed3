/**
 * The C library's getopt_long with a leading `+`: words are taken until the first one that is no option, long options may be
 * abbreviated, short ones bundled. The texts of its complaints are those of glibc, because callers look for them (Podman repeats a run
 * without `--map-guest-addr` when it reads `unrecognized option`).
 */
import { UsageError } from '../usage-error.ts';

/** What getopt must know of an option. Two rows with the same short letter are two names of one option. */
export interface OptionName {
  readonly long: string;
  readonly short?: string;
  /** What the argument is, for the help text; absent = takes none. */
  readonly argument?: string;
}

export interface Occurrence<Row extends OptionName> {
  readonly row: Row;
  /** Empty for an option without argument. */
  readonly value: string;
}

/**
 * Calls `take` for each option in order, so what it throws comes before a complaint about a later word.
 * `take` may return true to stop. Returns the words after the options; null when `take` stopped. Throws UsageError.
 */
export function eachOption<Row extends OptionName>(
  rows: readonly Row[],
  argv: readonly string[],
  take: (occurrence: Occurrence<Row>) => boolean,
): readonly string[] | null {
  let at = 0;
  while (at < argv.length) {
    const word = argv[at] as string;
    if (word === '--') return argv.slice(at + 1);
    if (word.length < 2 || word[0] !== '-') break;
    const next = word[1] === '-' ? takeLong(rows, argv, at, take) : takeBundle(rows, argv, at, take);
    if (next < 0) return null;
    at = next;
  }
  return argv.slice(at);
}

type Take<Row extends OptionName> = (occurrence: Occurrence<Row>) => boolean;

function takeLong<Row extends OptionName>(rows: readonly Row[], argv: readonly string[], at: number, take: Take<Row>): number {
  const word = argv[at] as string;
  const equals = word.indexOf('=');
  const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
  const row = findLong(rows, name, word);
  if (row.argument === undefined) {
    if (equals >= 0) throw new UsageError(`option '--${row.long}' doesn't allow an argument`);
    return take({ row, value: '' }) ? -1 : at + 1;
  }
  if (equals >= 0) return take({ row, value: word.slice(equals + 1) }) ? -1 : at + 1;
  const value = argv[at + 1];
  if (value === undefined) throw new UsageError(`option '--${row.long}' requires an argument`);
  return take({ row, value }) ? -1 : at + 2;
}

function findLong<Row extends OptionName>(rows: readonly Row[], name: string, word: string): Row {
  const candidates: Row[] = [];
  for (const row of rows) {
    if (row.long === name) return row;
    if (row.long.startsWith(name)) candidates.push(row);
  }
  const first = candidates[0];
  if (first === undefined) throw new UsageError(`unrecognized option '${word}'`);
  if (candidates.every((row) => row === first || (row.short !== undefined && row.short === first.short))) return first;
  const names = candidates.map((row) => `'--${row.long}'`).join(' ');
  throw new UsageError(`option '${word}' is ambiguous; possibilities: ${names}`);
}

function takeBundle<Row extends OptionName>(rows: readonly Row[], argv: readonly string[], at: number, take: Take<Row>): number {
  const word = argv[at] as string;
  for (let letterAt = 1; letterAt < word.length; letterAt++) {
    const letter = word[letterAt] as string;
    const row = rows.find((candidate) => candidate.short === letter);
    if (row === undefined) throw new UsageError(`invalid option -- '${letter}'`);
    if (row.argument === undefined) {
      if (take({ row, value: '' })) return -1;
      continue;
    }
    const rest = word.slice(letterAt + 1);
    if (rest !== '') return take({ row, value: rest }) ? -1 : at + 1;
    const value = argv[at + 1];
    if (value === undefined) throw new UsageError(`option requires an argument -- '${letter}'`);
    return take({ row, value }) ? -1 : at + 2;
  }
  return at + 1;
}
