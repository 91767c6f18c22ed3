/**
 * The form of a completion for zsh: the words of _arguments.
 */
import type { DescribedOption } from '../../supervisor/config/option-line.ts';
import type { Command } from './commands.ts';
import { type Values, valuesOf } from './values.ts';

const OFFERS = { file: '_files', interface: '_net_interfaces', user: '_users', process: '_pids' } as const;

function offer(values: Values): string {
  if (values === null) return ' ';
  return typeof values === 'string' ? OFFERS[values] : `(${values.join(' ')})`;
}

/** Within single quotes, and within brackets of _arguments. */
function quoted(text: string): string {
  return text.replace(/[[\]:]/g, '\\$&').replace(/'/g, "'\\''");
}

function lines(row: DescribedOption): string[] {
  const value = row.argument === undefined ? '' : `:${quoted(row.argument)}:${offer(valuesOf(row))}`;
  const long = row.argument === undefined ? `--${row.long}` : `--${row.long}=`;
  const short = row.short === undefined ? [] : [`'*-${row.short}${row.argument === undefined ? '' : '+'}[${quoted(row.help)}]${value}'`];
  return [...short, `'*${long}[${quoted(row.help)}]${value}'`];
}

function operands({ operands }: Command): string[] {
  switch (operands) {
    case 'command':
      return ["'(-)1:command or process ID:{ _command_names -e; _pids }'", "'*::argument:_normal'"];
    case 'path':
      return ["'1:socket of a run:_files'"];
    case 'actions':
      return ["'1:what to do:(doctor flows forward pasta passt run status)'", "'2:what to do with the ports:(list add del)'"];
    case 'none':
      return [];
  }
}

/** The file _NAME for a folder of $fpath. */
export function zshCompletion(command: Command): string {
  const rows = command.groups.flatMap(({ rows }) => rows);
  // Two long names may share a letter.
  const words = [...new Set([...rows.flatMap(lines), ...operands(command)])];
  return `#compdef ${command.name}
# Made by build/manual/write.sh from the table of options of ${command.name}.
_arguments -s -S -A '-*' \\
${words.map((word) => `  ${word}`).join(' \\\n')}
`;
}
