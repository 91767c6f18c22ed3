/**
 * One option as `--help` shows it. The manuals and the completions of shells are made of the same rows (build/manual/).
 */
import type { OptionName } from './getopt.ts';

/** An option of a command, and what it is for. */
export interface DescribedOption extends OptionName {
  /** One line without a full stop, which stands behind the name. */
  readonly help: string;
}

/** `width` is the place for the long name and its argument. */
export function optionLine(row: DescribedOption, width: number): string {
  const short = row.short === undefined ? '    ' : `-${row.short}, `;
  const name = row.argument === undefined ? `--${row.long}` : `--${row.long} ${row.argument}`;
  return `  ${short}${name.padEnd(width)} ${row.help}`;
}
