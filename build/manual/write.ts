/**
 * Writes man/ and completions/. `files` is for the test as well.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { VERSION } from '../../supervisor/config/version.ts';
import { bashCompletion } from './bash.ts';
import { type Command, COMMANDS } from './commands.ts';
import { fishCompletion } from './fish.ts';
import { manualOf } from './roff.ts';
import { zshCompletion } from './zsh.ts';

/** When the texts were last gone through as a whole. */
const DATE = '2026-11-21';

function completionsOf(command: Command): (readonly [string, string])[] {
  return [
    [`completions/bash/${command.name}`, bashCompletion(command)],
    [`completions/zsh/_${command.name}`, zshCompletion(command)],
    [`completions/fish/${command.name}.fish`, fishCompletion(command)],
  ];
}

/** Path and content of everything that is made. */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map(
    COMMANDS.flatMap((command) => [
      [`man/${command.name}.1`, manualOf(command, VERSION, DATE)] as const,
      ...(command.groups.length === 0 ? [] : completionsOf(command)),
    ]),
  );
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '../..');
  for (const [path, content] of generatedFiles()) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}
