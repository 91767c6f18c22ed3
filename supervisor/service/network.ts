/**
 * `ravioli run`: finds the file of a network and writes the words that it stands for, for the launcher (bin/launch.sh) to go on with. So
 * the process that a service manager has started is the one that serves, and has the sockets that it was handed.
 */
import { readFileSync, writeSync } from 'node:fs';
import { homedir } from 'node:os';
import { ownPlace } from '../control/instances.ts';
import { UsageError } from '../usage-error.ts';
import { wordsOfNetwork } from './network-file.ts';

/** The text of `ravioli run --help`. */
export const RUN_HELP = `Usage: ravioli run NAME
       ravioli run FILE

Serves the network that a file describes, in the foreground. NAME is that of ~/.config/ravioli/NAME.toml ($XDG_CONFIG_HOME); a FILE has
a slash in its name. Keys of the file are 'mode', "pasta" or "passt", and the long options of that command:

  mode = "passt"                     # for a machine, which connects to 'socket'; default: $XDG_RUNTIME_DIR/ravioli/NAME.socket
  tcp-ports = ["8080:80", "2222:22"]

  mode = "pasta"                     # for a network namespace
  netns = "/run/user/1000/netns/box"
  config-net = true

systemctl --user start ravioli@NAME has systemd run it.
`;

/** Where the file of a network is, and its name without folder and ending. */
function placeOf(word: string): { readonly path: string; readonly name: string } {
  if (word.includes('/')) return { path: word, name: word.slice(word.lastIndexOf('/') + 1).replace(/\.toml$/, '') };
  if (word === '' || word.startsWith('.'))
    throw new UsageError(`'${word}' is no name of a network; give that of a file in ~/.config/ravioli`);
  const name = word.replace(/\.toml$/, '');
  const folder = process.env['XDG_CONFIG_HOME']?.startsWith('/') ? process.env['XDG_CONFIG_HOME'] : `${homedir()}/.config`;
  return { path: `${folder}/ravioli/${name}.toml`, name };
}

function readNetwork(word: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? `there is no file '${path}'; make it` : `'${path}' can't be read (${code}); put that right`;
    throw new UsageError(`network '${word}': ${why}, or give the path of another`);
  }
}

/** `ravioli run` with these words: what is written is shell. @throws UsageError */
export async function runNetwork(words: readonly string[]): Promise<void> {
  const [word, excess] = words;
  if (word === undefined) throw new UsageError('the name of the network is missing; give NAME, FILE or --help');
  if (excess !== undefined) throw new UsageError(`'${excess}' is one word too many; options belong into the file`);
  if (word === '--help' || word === '-h') {
    writeSync(1, `printf %s ${quoted(RUN_HELP)}; exit 0\n`);
    return;
  }
  if (word.startsWith('-')) throw new UsageError(`unrecognized option '${word}'`);
  const { path, name } = placeOf(word);
  const socket = ownPlace(process.env['XDG_RUNTIME_DIR'], process.geteuid?.() as number, `${name}.socket`);
  writeSync(1, `set -- ${wordsOfNetwork(readNetwork(word, path), { path, socket }).map(quoted).join(' ')}\n`);
}

/** As a word of the shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
