/**
 * The form of a completion for fish: one line for each option.
 */
import type { DescribedOption } from '../../supervisor/config/option-line.ts';
import type { Command } from './commands.ts';
import { ACTIONS, type Values, valuesOf } from './values.ts';

const OFFERS = {
  file: '-r -F',
  interface: "-x -a '(__fish_print_interfaces)'",
  user: "-x -a '(__fish_complete_users)'",
  process: "-x -a '(__fish_complete_pids)'",
} as const;

function offer(values: Values): string {
  if (values === null) return '-x';
  return typeof values === 'string' ? OFFERS[values] : `-x -a '${values.join(' ')}'`;
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}

function line(command: string, row: DescribedOption): string {
  const short = row.short === undefined ? '' : ` -s ${row.short}`;
  const value = row.argument === undefined ? '' : ` ${offer(valuesOf(row))}`;
  return `complete -c ${command}${short} -l ${row.long}${value} -d ${quoted(row.help)}`;
}

function operands(command: Command, rows: readonly DescribedOption[]): string[] {
  const taking = rows.filter(({ argument }) => argument !== undefined);
  const words = taking.flatMap(({ short, long }) => [...(short === undefined ? [] : [`-${short}`]), `--${long}`]);
  switch (command.operands) {
    case 'command':
      return [`complete -c ${command.name} -x -a '(__fish_complete_subcommand -- ${[...new Set(words)].join(' ')})'`];
    case 'path':
      return [];
    case 'actions':
      return [
        `complete -c ${command.name} -f`,
        ...ACTIONS.map(({ words, next }) => {
          const seen = words.map((word) => `__fish_seen_subcommand_from ${word}; and `).join('');
          return `complete -c ${command.name} -n '${seen}not __fish_seen_subcommand_from ${next.join(' ')}' -a '${next.join(' ')}'`;
        }),
      ];
    case 'none':
      return [`complete -c ${command.name} -f`];
  }
}

/** The file for a folder of $fish_complete_path. */
export function fishCompletion(command: Command): string {
  const rows = command.groups.flatMap(({ rows }) => rows);
  return `# Made by build/manual/write.sh from the table of options of ${command.name}.
${[...operands(command, rows), ...rows.map((row) => line(command.name, row))].join('\n')}
`;
}
