/**
 * The table of a standard: each of its requirements is tested here, taken over by a later standard, or ruled out with a reason.
 *
 * A test belongs to a requirement by its title, `RFC 9293 §3.8.6.1 MUST-36: …` where the standard numbers them, `RFC 6298 §5.1: …` or
 * `RFC 7323 §3.2/2: …` (the second of its section) where not. Titles are read from the files, so a requirement can't lose its test unseen.
 */
import { expect } from 'chai';
import { files, read } from '../arch/tree.ts';

/** What is required, in short, and why no test of this folder shows it, where none does. */
export interface Requirement {
  readonly rule: string;
  /** There is nothing here that it could apply to. */
  readonly absent?: string;
  /** It isn't followed, on purpose; a test shows what is done instead. */
  readonly differs?: string;
  /** Not there yet; no test shows it. */
  readonly missing?: string;
  /** The name that a later standard, whose table has it, gives it. */
  readonly successor?: string;
}

/** Requirements by number (`MUST-1`) or section (`§5.1`, `§3.2/2`). A string is a requirement that a test of this folder shows. */
export type Table = Readonly<Record<string, string | Requirement>>;

/** A requirement that can't apply, because… */
export function absent(rule: string, because: string): Requirement {
  return { rule, absent: because };
}

/** A requirement that isn't followed, because…; a test here shows what is done instead. */
export function differs(rule: string, because: string): Requirement {
  return { rule, differs: because };
}

/** A requirement that is not met yet: what is lacking. */
export function missing(rule: string, what: string): Requirement {
  return { rule, missing: what };
}

/** A requirement that a later standard has taken over under the name `successor`. */
export function takenOver(rule: string, successor: string): Requirement {
  return { rule, successor };
}

/** `MUST-1` … `MUST-count`. */
export function numbered(word: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${word}-${index + 1}`);
}

/** The names of requirements that a standard doesn't number, from their number in each section. */
export function bySection(counts: Readonly<Record<string, number>>): string[] {
  return Object.entries(counts).flatMap(([section, count]) =>
    count === 1 ? [section] : Array.from({ length: count }, (_, index) => `${section}/${index + 1}`),
  );
}

/** The requirements that titles of tests name, before their first colon. */
function tested(rfc: number, texts: readonly string[]): Set<string> {
  const names = new Set<string>();
  for (const text of texts) {
    for (const [, citations] of text.matchAll(/\bit\(\s*[`'](RFC [^:]*):/g)) {
      const cited = (citations as string).matchAll(/RFC (\d+) ((?:,? ?§[\w.]+(?:\/\d+)?)+)((?:,? [A-Z]+-\d+)*)/g);
      for (const [, document, sections, numbers] of cited) {
        if (Number(document) !== rfc) continue;
        for (const name of (numbers === '' ? sections : numbers)?.split(/[, ]+/) ?? []) if (name !== '') names.add(name);
      }
    }
  }
  return names;
}

/** Defines the tests of a table: `names` is every requirement that the standard has. */
export function describeTable(rfc: number, names: readonly string[], table: Table): void {
  const here = tested(
    rfc,
    files(['test/rfc'], '.test.ts').map((path) => read(path)),
  );
  const entries = Object.entries(table).map(([name, entry]) => [name, typeof entry === 'string' ? { rule: entry } : entry] as const);

  describe(`RFC ${rfc}: the table`, () => {
    it('has every requirement, once', () => {
      expect(Object.keys(table).sort()).to.deep.equal([...names].sort());
    });

    it('every requirement is tested, or ruled out with a reason', () => {
      const excused = (entry: Requirement): boolean => (entry.absent ?? entry.missing ?? entry.successor) !== undefined;
      const untested = entries.filter(([name, entry]) => !excused(entry) && !here.has(name));
      expect(untested.map(([name, { rule }]) => `${name} ${rule}`)).to.deep.equal([]);
      for (const [name, entry] of entries) {
        const reason = entry.absent ?? entry.differs ?? entry.missing;
        expect(entry.rule, name).to.not.equal('');
        if (reason !== undefined) expect(reason, name).to.have.length.above(15);
      }
    });

    it('no test names a requirement that the table rules out, or does not have', () => {
      const known = new Map(entries);
      // Of a standard that numbers its requirements, a title may name a section alone.
      const named = [...here].filter((name) => !name.startsWith('§') || names.some((other) => other.startsWith('§')));
      expect(named.filter((name) => !known.has(name) || (known.get(name)?.absent ?? known.get(name)?.missing) !== undefined)).to.deep.equal(
        [],
      );
    });

    it('what was taken over is in another table', () => {
      const texts = files(['test/rfc'], '.test.ts').map((path) => read(path));
      for (const [name, { successor }] of entries)
        if (successor !== undefined)
          expect(
            texts.some((text) => text.includes(`'${successor}': `)),
            name,
          ).to.equal(true);
    });
  });
}
