/**
 * Sizes, names and READMEs: what keeps a room small enough to be read.
 */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { exists, FILES, files, linesLike, ROOT, read } from './tree.ts';

const CODE = ['.ts', '.cjs', '.c', '.h', '.sh', '.policy', '.proto'];
const WRITTEN = FILES.filter((path) => CODE.some((ending) => path.endsWith(ending)) || /^(bin|\.ci)\//.test(path));
const LINES = { '.ts': 400, '.c': 500, '.h': 200, '.sh': 200, '.proto': 200, '.policy': 200 } as const;
const MARKED = linesLike(WRITTEN, /\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))/).filter((line) => !line.startsWith('test/arch/layout.test.ts'));

function lineCount(path: string): number {
  return read(path).split('\n').length - 1;
}

/** Folders of the product with code of their own, and those of the tests that are no mirror of one. */
function foldersToDescribe(): string[] {
  const folders = new Set(
    FILES.filter((path) => /^(bench|bin|build|native|policies|shared|supervisor|test|worker)\//.test(path)).map((path) =>
      path.split('/').slice(0, -1).join('/'),
    ),
  );
  return [...folders].filter((folder) => !/^(test|native|bench)\//.test(folder) || /^test\/(support|vm)$/.test(folder)).sort();
}

describe('arch: layout', () => {
  for (const [ending, most] of Object.entries(LINES)) {
    it(`no ${ending} file has more than ${most} lines`, () => {
      const large = WRITTEN.filter((path) => path.endsWith(ending) && lineCount(path) > most);
      expect(large.map((path) => `${path}: ${lineCount(path)}`)).to.deep.equal([]);
    });
  }

  it('no line is much longer than 140 characters', () => {
    // Declarations of the native vocabulary have one line for each word, policies one for each decision.
    const bounded = WRITTEN.filter((path) => /\.(ts|c|h|sh)$/.test(path) && !path.endsWith('.d.ts') && !path.startsWith('test/'));
    expect(linesLike(bounded, /^.{161,}$/u).filter((line) => !/captures\.ts/.test(line))).to.deep.equal([]);
  });

  it('every folder says what is here, what is never here and where to start', () => {
    const folders = foldersToDescribe();
    expect(folders.filter((folder) => !exists(`${folder}/README.md`))).to.deep.equal([]);
    for (const folder of folders) {
      const text = read(`${folder}/README.md`);
      expect(lineCount(`${folder}/README.md`), folder).to.be.at.most(25);
      for (const heading of [/\*\*Here\.?\*\*/, /\*\*Never here\.?\*\*/, /\*\*Start reading at\*\*/])
        expect(text, folder).to.match(heading);
    }
  });

  it('what is left to do is an issue', () => {
    expect(MARKED).to.deep.equal([]);
  });

  it('no test is switched off, and none runs alone', () => {
    const off = /\b(describe|it|context|specify)\.(only|skip)\b|\bx(describe|it|context|specify)\(/;
    expect(linesLike(files(['test'], '.test.ts'), off).filter((line) => !line.startsWith('test/arch/'))).to.deep.equal([]);
  });

  it('a test is left out only for what the machine lacks', () => {
    // `if (FACT) this.skip()`: never without a condition on the same line.
    const bare = linesLike(files(['test'], '.test.ts'), /\bthis\.skip\(\)/).filter((line) => !/: if \(.*\) this\.skip\(\)/.test(line));
    expect(bare.filter((line) => !line.startsWith('test/arch/'))).to.deep.equal([]);
  });

  it('nothing generated is committed', function () {
    if (!exists('.git')) this.skip();
    const tracked = execFileSync('git', ['-c', `safe.directory=${ROOT.slice(0, -1)}`, 'ls-files'], { cwd: ROOT, encoding: 'utf8' }).split(
      '\n',
    );
    expect(tracked.filter((path) => /\.gen\.|^dist\/|^native\/out\/|^node_modules\/|\.node$|\.cache\//.test(path))).to.deep.equal([]);
  });
});
