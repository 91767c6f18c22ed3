/**
 * The form of a completion for bash: one function, which asks for nothing but bash itself.
 */
import type { DescribedOption } from '../../supervisor/config/option-line.ts';
import type { Command } from './commands.ts';
import { ACTIONS, type Values, valuesOf } from './values.ts';

const OFFERS = {
  file: 'compopt -o filenames; COMPREPLY=($(compgen -f -- "$current"))',
  interface: 'COMPREPLY=($(compgen -W "$(ls /sys/class/net 2> /dev/null)" -- "$current"))',
  user: 'COMPREPLY=($(compgen -u -- "$current"))',
  process: 'COMPREPLY=($(compgen -W "$(cd /proc && ls -d [1-9]* 2> /dev/null)" -- "$current"))',
} as const;

function offer(values: Values): string {
  if (values === null) return 'COMPREPLY=()';
  return typeof values === 'string' ? OFFERS[values] : `COMPREPLY=($(compgen -W '${values.join(' ')}' -- "$current"))`;
}

function namesOf(row: DescribedOption): string[] {
  return [...(row.short === undefined ? [] : [`-${row.short}`]), `--${row.long}`];
}

/** Rows with the same values, as one branch. */
function branches(rows: readonly DescribedOption[]): string[] {
  const byOffer = new Map<string, string[]>();
  for (const row of rows.filter(({ argument }) => argument !== undefined)) {
    const does = offer(valuesOf(row));
    byOffer.set(does, [...(byOffer.get(does) ?? []), ...namesOf(row)]);
  }
  return [...byOffer].map(([does, names]) => `    ${[...new Set(names)].join(' | ')}) ${does}; return ;;`);
}

/** What is offered where no option begins. */
function operands({ operands }: Command): string {
  switch (operands) {
    case 'command':
      return 'COMPREPLY=($(compgen -c -- "$current"))';
    case 'path':
      return OFFERS.file;
    case 'actions':
      return `case "\${COMP_WORDS[*]:1:COMP_CWORD - 1}" in\n${ACTIONS.map(
        ({ words, next }) => `    '${words.join(' ')}') COMPREPLY=($(compgen -W '${next.join(' ')}' -- "$current")) ;;`,
      ).join('\n')}\n    *) COMPREPLY=() ;;\n  esac`;
    case 'none':
      return 'COMPREPLY=()';
  }
}

/** Words behind a command are the command's own. `with_value` are options that take the next word. */
function skipToCommand(rows: readonly DescribedOption[]): string {
  const taking = rows.filter(({ argument }) => argument !== undefined).flatMap(namesOf);
  return `  local at=1
  while [ "$at" -lt "$COMP_CWORD" ]; do
    case "\${COMP_WORDS[at]}" in
      --) at=$((at + 1)); break ;;
      ${[...new Set(taking)].join(' | ')}) at=$((at + 2)) ;;
      -*) at=$((at + 1)) ;;
      =) at=$((at + 2)) ;;
      *) break ;;
    esac
  done
  if [ "$at" -lt "$COMP_CWORD" ]; then
    if declare -F _command_offset > /dev/null; then _command_offset "$at"; else ${OFFERS.file}; fi
    return
  fi
`;
}

/** The file for /usr/share/bash-completion/completions/. */
export function bashCompletion(command: Command): string {
  const rows = command.groups.flatMap(({ rows }) => rows);
  const own = rows.flatMap(namesOf);
  return `# Made by build/manual/write.sh from the table of options of ${command.name}.
_ravioli_${command.name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]}
  # Readline takes an equals sign for a word.
  if [ "$current" = = ]; then current=; elif [ "$before" = = ]; then before=\${COMP_WORDS[COMP_CWORD - 2]}; fi
${command.operands === 'command' ? skipToCommand(rows) : ''}  case $before in
${branches(rows).join('\n')}
  esac
  case $current in
    -*) COMPREPLY=($(compgen -W '${own.join(' ')}' -- "$current")); return ;;
  esac
  ${operands(command)}
}
complete -F _ravioli_${command.name} ${command.name}
`;
}
