/**
 * The project's own files, as the tests of this folder read them.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { config } from 'chai';

/** What breaks a rule is to be read in full. */
config.truncateThreshold = 0;

/** Ends with a slash. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Made by npm, by the build or by git. */
const FOREIGN = new Set(['node_modules', 'dist', '.git', '.cache', 'native/out']);
const GENERATED = /\.gen\.(js|d\.ts)$/;

function walk(folder: string, found: string[]): string[] {
  for (const entry of readdirSync(`${ROOT}${folder}`, { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (FOREIGN.has(path)) continue;
    if (entry.isDirectory()) walk(path, found);
    else if (!GENERATED.test(path)) found.push(path);
  }
  return found;
}

/** Every file that somebody wrote, by its path from the root. */
export const FILES: readonly string[] = walk('', []).sort();

/** Those below one of `folders` whose name ends in one of `endings`. */
export function files(folders: readonly string[], ...endings: readonly string[]): string[] {
  return FILES.filter((path) => folders.some((folder) => path.startsWith(`${folder}/`)) && endings.some((ending) => path.endsWith(ending)));
}

export function read(path: string): string {
  return readFileSync(`${ROOT}${path}`, 'utf8');
}

export function exists(path: string): boolean {
  return existsSync(`${ROOT}${path}`);
}

/** `path:line` of each line of `paths` that `pattern` matches. */
export function linesLike(paths: readonly string[], pattern: RegExp): string[] {
  return paths.flatMap((path) =>
    read(path)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
  );
}

/** The room a file belongs to: of the worker its folder, since those have rules of their own. */
export function roomOf(path: string): string {
  const [first, second, third] = path.split('/') as [string, string, string?];
  return first === 'worker' && third !== undefined ? `worker/${second}` : first;
}

/** TypeScript without its comments: what the runtime sees. Strings are left as they are, so `//` within one ends its line here. */
export function codeOf(path: string): string {
  return read(path)
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*$/gm, '');
}

/** The paths (or package names) that a module imports; with `loaded`, without what only its types need. */
export function importsOf(path: string, loaded = false): string[] {
  const folder = path.split('/').slice(0, -1);
  const code = loaded ? codeOf(path).replace(/^(import|export) type [^;]*;/gm, '') : codeOf(path);
  return [...code.matchAll(/(?:\bfrom |\bimport |\bimport\(|\brequire\()'([^']+)'/g)].map(([, name]) => {
    if (!name?.startsWith('.')) return name as string;
    const parts = [...folder];
    for (const part of name.split('/')) {
      if (part === '..') parts.pop();
      else if (part !== '.') parts.push(part);
    }
    return parts.join('/');
  });
}
