/**
 * The form of a manual: the macros of man(7).
 */
import type { DescribedOption } from '../../supervisor/config/option-line.ts';
import type { Command } from './commands.ts';
import type { Block, Chapter } from './text.ts';

/** mandoc(1) has a complaint about a longer line of input. */
const WIDTH = 80;

/** A character that has a meaning of its own, as itself. A hyphen that is typed is a minus. */
function escaped(text: string): string {
  return text.replace(/\\/g, '\\e').replace(/'/g, '\\(aq').replace(/\^/g, '\\(ha').replace(/~/g, '\\(ti').replace(/`/g, '\\(ga');
}

function bold(text: string): string {
  return `\\fB${escaped(text).replace(/-/g, '\\-')}\\fR`;
}

function italic(text: string): string {
  return `\\fI${escaped(text).replace(/-/g, '\\-')}\\fR`;
}

const MARKED = /`([^`]+)`|<([^<>]+)>|(?<![\w-])(--?[A-Za-z0-9][\w-]*)/g;

/** The text of text.ts with its fonts. */
function inline(text: string): string {
  let made = '';
  let end = 0;
  for (const found of text.matchAll(MARKED)) {
    made += escaped(text.slice(end, found.index));
    const [all, typed, replaced, option] = found;
    made += replaced !== undefined ? italic(replaced) : bold((typed ?? option) as string);
    end = found.index + all.length;
  }
  return made + escaped(text.slice(end));
}

/** A sentence begins on a line of its own, and no line is long or looks like a macro. */
function filled(text: string): string[] {
  const lines: string[] = [];
  for (const sentence of inline(text).split(/(?<=[.!?:;][)\]]?) (?=\\fB|\\fI|[A-Z(])/)) {
    let line = '';
    for (const word of sentence.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > WIDTH - 2) {
        lines.push(line);
        line = '';
      }
      line = line === '' ? word : `${line} ${word}`;
    }
    lines.push(line);
  }
  return lines.map((line) => (/^[.']/.test(line) ? `\\&${line}` : line));
}

/** `isFirst`: a paragraph right behind a heading needs no macro. */
function blockLines(block: Block, isFirst: boolean): string[] {
  if (typeof block === 'string') return [...(isFirst ? [] : ['.PP']), ...filled(block)];
  if ('lines' in block) {
    const shown = block.lines.map((line) => escaped(line).replace(/-/g, '\\-').replace(/^\./, '\\&.'));
    return [...(isFirst ? [] : ['.PP']), '.RS 4', '.nf', ...shown, '.fi', '.RE'];
  }
  return block.terms.flatMap(({ term, text }) => ['.TP', inline(term), ...filled(text)]);
}

function blocksLines(blocks: readonly Block[]): string[] {
  return blocks.flatMap((block, index) => blockLines(block, index === 0));
}

function chapterLines({ heading, blocks }: Chapter): string[] {
  return [`.SH ${heading}`, ...blocksLines(blocks)];
}

function optionLines(row: DescribedOption, detail: string | undefined): string[] {
  const short = row.short === undefined ? '' : `${bold(`-${row.short}`)}, `;
  const argument = row.argument === undefined ? '' : ` ${italic(row.argument)}`;
  return ['.TP', `${short}${bold(`--${row.long}`)}${argument}`, ...filled(`${row.help}.${detail === undefined ? '' : ` ${detail}`}`)];
}

function synopsisLines(command: Command): string[] {
  return command.synopsis.flatMap((form, index) => {
    const words = form.split(' ').map((word) => (/^[a-z-]+$/.test(word) ? bold(word) : synopsisWord(word)));
    return [...(index === 0 ? [] : ['.br']), words.join(' ')];
  });
}

/** Brackets, dots and bars are no part of what is replaced. */
function synopsisWord(word: string): string {
  return word.replace(/--?[a-z-]+|[A-Z]+|[a-z]+|\.\.\./g, (part) => {
    if (part === '...') return '.\\|.\\|.';
    return part.startsWith('-') || /^[a-z]/.test(part) ? bold(part) : italic(part);
  });
}

/** The file <name>.1. `version` and `date` stand at its foot. */
export function manualOf(command: Command, version: string, date: string): string {
  const { groups, details } = command;
  const lines = [
    `.\\" Made by build/manual/write.sh from the tables of options.`,
    `.TH ${command.name.toUpperCase()} 1 ${date} "ravioli ${version}" "User Commands"`,
    '.SH NAME',
    `${command.name} \\- ${inline(command.purpose)}`,
    '.SH SYNOPSIS',
    ...synopsisLines(command),
    '.SH DESCRIPTION',
    ...blocksLines(command.description),
    ...groups.flatMap(({ title, rows }, index) => [
      ...(index === 0 ? ['.SH OPTIONS'] : []),
      ...(title === null ? [] : [`.SS ${title}`]),
      ...rows.flatMap((row) => optionLines(row, details[row.long])),
    ]),
    ...command.chapters.flatMap(chapterLines),
  ];
  return `${lines.join('\n')}\n`;
}
