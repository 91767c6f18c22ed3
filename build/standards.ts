/**
 * Which sections of which RFC the product and its tests cite: `node build/standards.ts` prints them, one line a document.
 */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PRODUCT = ['shared/*.ts', 'supervisor/**/*.ts', 'worker/**/*.ts', 'native/**/*.{c,h}'];
const TESTS = ['test/**/*.{ts,c}'];

/** Sections (`§3.10.7.4`, or `all` for a citation of the whole) by number of the document. */
export type Citations = ReadonlyMap<number, ReadonlySet<string>>;

/** What `texts` cite in the one spelling, `RFC 9293 §3.10.7.4`; several sections after one document are joined by commas or "and". */
export function citationsIn(texts: readonly string[]): Citations {
  const found = new Map<number, Set<string>>();
  for (const text of texts) {
    for (const [, document, sections] of text.matchAll(/\bRFC (\d+)((?:(?:,| and)? §[A-Z\d]+(?:\.\d+)*)*)/g)) {
      const set = found.get(Number(document)) ?? new Set<string>();
      for (const section of sections?.match(/§[A-Z\d]+(?:\.\d+)*/g) ?? ['all']) set.add(section);
      found.set(Number(document), set);
    }
  }
  return found;
}

function citationsOf(patterns: readonly string[]): Citations {
  return citationsIn(globSync(patterns as string[], { cwd: ROOT }).map((path) => readFileSync(`${ROOT}/${path}`, 'utf8')));
}

/** One line for each document that the product cites: what it cites, and what of that no test names. */
export function describeCitations(product: Citations, tests: Citations): string[] {
  return [...product]
    .sort(([a], [b]) => a - b)
    .map(([document, sections]) => {
      const untested = [...sections].filter((section) => section !== 'all' && !tests.get(document)?.has(section)).sort();
      const cited = [...sections].sort().join(' ');
      return `RFC ${document}: ${cited}${untested.length > 0 ? `; named by no test: ${untested.join(' ')}` : ''}`;
    });
}

if (import.meta.main) {
  console.log(describeCitations(citationsOf(PRODUCT), citationsOf(TESTS)).join('\n'));
}
