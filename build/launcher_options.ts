/**
 * Prints native/out/options.h: the table of options as the C library's getopt_long wants it, so that the launcher (native/start.c) reads a
 * command line exactly as supervisor/args.ts does.
 */
import { writeSync } from 'node:fs';
import { OPTIONS } from '../supervisor/config/options.ts';

/** Values of options without a letter begin here, above every letter. */
const FIRST_WITHOUT_LETTER = 256;

const lines: string[] = [];
const names: string[] = [];
let letters = '+:';
let next = FIRST_WITHOUT_LETTER;
for (const { long, short, argument } of OPTIONS) {
  const value = short === undefined ? String(next++) : `'${short}'`;
  lines.push(`    {"${long}", ${argument === undefined ? 'no_argument' : 'required_argument'}, NULL, ${value}},`);
  names.push(`#define OPTION_${long.toUpperCase().replaceAll('-', '_')} ${value}`);
  if (short !== undefined && !letters.includes(short)) letters += argument === undefined ? short : `${short}:`;
}

writeSync(
  1,
  `/* Made by build/launcher_options.ts from supervisor/config/options.ts. */
#include <getopt.h>

${names.join('\n')}

static const char option_letters[] = "${letters}";
static const struct option option_table[] = {
${lines.join('\n')}
    {NULL, 0, NULL, 0},
};
`,
);
