/** The manuals and the completions say what the tables of options say, in forms that their readers take. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect } from 'chai';
import { COMMANDS, GROUP_TITLES } from '../../build/manual/commands.ts';
import { DETAILS } from '../../build/manual/details.ts';
import { generatedFiles } from '../../build/manual/write.ts';
import { OPTIONS } from '../../supervisor/config/options.ts';
import { ROOT } from '../arch/tree.ts';

/** An ordinary user can't have build/need.sh install what a machine lacks. */
function isHere(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));
}

function pathsLike(pattern: RegExp): string[] {
  return [...generatedFiles().keys()].filter((path) => pattern.test(path)).map((path) => join(ROOT, path));
}

/** What bash offers for the last word, which may be empty. */
function bashOffers(words: readonly string[]): string[] {
  const command = words[0] as string;
  const script = `. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() { :; }
    _ravioli_${command} "$1" "\${COMP_WORDS[COMP_CWORD]}"; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const text = execFileSync('bash', ['-c', script, 'bash', join(ROOT, `completions/bash/${command}`), ...words], { encoding: 'utf8' });
  return text.split('\n').filter((line) => line !== '');
}

/** What fish offers for a line. */
function fishOffers(line: string): string[] {
  const command = line.split(' ')[0] as string;
  const script = `complete -c ${command} -e; source $argv[1]; complete -C $argv[2]`;
  // It makes folders at home.
  const home = mkdtempSync(join(tmpdir(), 'fish-'));
  const environment = { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home };
  const { stdout } = spawnSync('fish', ['--no-config', '-c', script, join(ROOT, `completions/fish/${command}.fish`), line], {
    encoding: 'utf8',
    env: environment,
  });
  rmSync(home, { recursive: true });
  return stdout.split('\n').map((row) => row.split('\t')[0] as string);
}

describe('build/manual: what is made of the tables of options', () => {
  it("is what is in the tree; 'sh build/manual/write.sh' makes it anew", () => {
    for (const [path, content] of generatedFiles()) expect(readFileSync(join(ROOT, path), 'utf8') === content, path).to.equal(true);
  });

  it('details and headings belong to options that there are', () => {
    const names = OPTIONS.map(({ long }) => long);
    expect([...Object.keys(DETAILS), ...Object.keys(GROUP_TITLES)].filter((name) => !names.includes(name))).to.deep.equal([]);
  });

  for (const { name, groups } of COMMANDS) {
    it(`man ${name} has each option, and as often as the table`, () => {
      const manual = readFileSync(join(ROOT, `man/${name}.1`), 'utf8').replaceAll('\\-', '-');
      const shown = [...manual.matchAll(/^\.TP\n(?:\\fB-\S\\fR, )?\\fB--(\S+)\\fR/gm)].map(([, long]) => long);
      expect(shown).to.deep.equal(groups.flatMap(({ rows }) => rows.map(({ long }) => long)));
    });
  }

  it('mandoc and groff have no complaint about a manual', function () {
    if (!isHere('mandoc') || !isHere('groff')) this.skip();
    for (const path of pathsLike(/^man\//)) {
      expect(spawnSync('mandoc', ['-T', 'lint', path], { encoding: 'utf8' }).stdout, path).to.equal('');
      const { stdout, stderr } = spawnSync('groff', ['-ww', '-b', '-man', '-Tutf8', '-z', path], { encoding: 'utf8' });
      expect(stdout + stderr, path).to.equal('');
    }
  });

  it('the shells can read their completions', function () {
    if (!isHere('zsh') || !isHere('fish')) this.skip();
    for (const shell of ['bash', 'zsh', 'fish'])
      for (const path of pathsLike(new RegExp(`^completions/${shell}/`)))
        expect(spawnSync(shell, ['-n', path], { encoding: 'utf8' }).stderr, path).to.equal('');
  });
});

describe('build/manual: completion by bash', () => {
  for (const [line, expected] of [
    ['pasta --conf', ['--conf-path', '--config-net']],
    ['pasta --isolation ', ['default', 'strict']],
    ['pasta --isolation = s', ['strict']],
    ['pasta -q --tcp-ports a', ['auto', 'all']],
    ['pasta --vhost', []],
    ['passt --vhost', ['--vhost-user']],
    ['ravioli ', ['doctor', 'flows', 'forward', 'pasta', 'passt', 'run', 'status']],
    ['ravioli forward ', ['list', 'add', 'del']],
    ['ravioli forward list --j', ['--json']],
  ] as const) {
    it(line, () => expect(bashOffers(line.split(' '))).to.deep.equal(expected));
  }

  it('an interface is one that there is', () => expect(bashOffers(['pasta', '-i', 'l'])).to.include('lo'));

  it('behind the options a command is meant, and behind that its own words', () => {
    expect(bashOffers(['pasta', '--config-net', 'tru'])).to.include('true');
    expect(bashOffers(['pasta', '-m', '1500', '--', 'tru'])).to.include('true');
    expect(bashOffers(['pasta', 'ls', '--config'])).to.deep.equal([]);
  });
});

describe('build/manual: completion by fish', () => {
  for (const [line, expected] of [
    ['pasta --config', ['--config-net']],
    ['pasta --isolation s', ['strict']],
    ['pasta --config-net tru', ['true']],
    ['passt --vhost', ['--vhost-user']],
    ['ravioli forward ', ['list', 'add', 'del']],
  ] as const) {
    it(line, function () {
      if (!isHere('fish')) this.skip();
      expect(fishOffers(line)).to.include.members([...expected]);
    });
  }
});
