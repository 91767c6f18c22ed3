/** Which descriptors the launcher leaves to the supervisor. That it starts the worker is the other tests' business: --trace keeps it from that. */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const START = fileURLToPath(new URL('../../native/out/start', import.meta.url));
const LAST = 12;

/** The descriptors that what `start` becomes has above the standard ones, when all up to LAST are open; `setting` is shell. */
function left(words: readonly string[], setting = '', program = 'pasta --trace'): string[] {
  const nothing = openSync('/dev/null', 'r');
  const descriptors = Array.from({ length: LAST - 2 }, () => nothing);
  const show = Array.from({ length: LAST - 2 }, (_, at) => `[ -e /proc/$$/fd/${at + 3} ] && echo ${at + 3}`).join('; ');
  const script = `${setting} exec "${START}" /bin/true name runtime -- /bin/sh -c 'eval "$SHOW"' sh -- ${program} "$@"`;
  const { stdout } = spawnSync('/bin/bash', ['-c', script, 'bash', ...words], {
    // Not as a word: its numbers would be kept.
    env: { ...process.env, SHOW: show },
    stdio: ['ignore', 'pipe', 'inherit', ...descriptors],
  });
  closeSync(nothing);
  return `${stdout}`.trim().split('\n').filter(Boolean);
}

describe('native/start: descriptors', () => {
  const rows: [string, readonly string[], string, string[]][] = [
    ['none', [], '', []],
    [
      'those that a word names',
      ['--netns=/proc/self/fd/7', '--listen-fd=9:80', '--listen-fd', '5', '--netns', '/proc/self/fd/11'],
      '',
      ['5', '7', '9', '11'],
    ],
    ['those that a shortened option names', ['--listen=9:80', '--listen-f', '5', '-qF7'], '', ['5', '7', '9']],
    [
      'none whose number is a part of something else',
      ['-t', '6-6:80-80', '--mtu=9', '-a', '10.4.5.7', '--netns', '/run/user/8/netns/netns-9-fd9-fd/3'],
      '',
      [],
    ],
    ['none that the command names', ['sh', '-c', 'exec 8'], '', []],
    ['none that the command names behind a separator', ['--', 'sh', '-c', 'exec 8'], '', []],
    ['those of LISTEN_FDS', [], 'LISTEN_PID=$$ LISTEN_FDS=2', ['3', '4']],
    [
      'those of LISTEN_FDS and those that a word names, also twice',
      ['--listen-fd=4', '--listen-fd=4', '--listen-fd=6'],
      'LISTEN_PID=$$ LISTEN_FDS=2',
      ['3', '4', '6'],
    ],
    ["none of another process's LISTEN_FDS", [], 'LISTEN_PID=1 LISTEN_FDS=2', []],
    ['none when LISTEN_FDS makes no sense', [], 'LISTEN_PID=$$ LISTEN_FDS=-1', []],
  ];
  it('leaves the tap of slirp4netns, whose number is a word of its own', () => {
    expect(left(['-r', '5', '-m', '1500', '--netns-type=tapfd', '7', 'tap9'], '', 'slirp4netns')).to.deep.equal(['5', '7']);
  });
  for (const words of [
    ['-c', '-r', '5', '-e', '7', '9'],
    ['--ready-fd=5', '--mtu=9', '--exit-fd', '7', '11'],
    ['--r', '5', '--ex=7', '9', 'tap10'],
    ['-cr5', '-e7', '-m', '8', '9'],
  ])
    it(`leaves those of slirp4netns ${words.join(' ')}`, () => {
      expect(left(words, '', 'slirp4netns')).to.deep.equal(['5', '7']);
    });

  for (const [what, words, setting, expected] of rows)
    it(`leaves ${what}`, () => {
      expect(left(words, setting)).to.deep.equal(expected);
    });
});
