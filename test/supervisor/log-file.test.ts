/** The log file: its form, its limit, and what else may happen to it. */
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect } from 'chai';
import { LogLevel } from '../../shared/messages.ts';
import { LogFile } from '../../supervisor/log-file.ts';

const HEADER = 'pasta 1.2: /usr/bin/pasta (4711)';
const LIMIT = 40_960;

describe('supervisor/log-file', () => {
  const folder = mkdtempSync(`${tmpdir()}/log-`);
  const path = `${folder}/log`;
  after(() => rmSync(folder, { recursive: true }));

  const open = (): LogFile => new LogFile(path, LIMIT, HEADER, () => 1.25);
  const lines = (): string[] => readFileSync(path, 'utf8').trimEnd().split('\n');

  it('begins with the program, and has a line for each fact with time and level', () => {
    const file = open();
    file.put(LogLevel.ERROR, 'one');
    file.put(LogLevel.WARNING, 'two');
    file.put(LogLevel.INFO, 'three');
    file.put(LogLevel.DEBUG, 'four');
    file.close();
    expect(readFileSync(path, 'utf8')).to.equal(
      `${HEADER}\n1.2500: ERROR:   one\n1.2500: WARNING: two\n1.2500: info:    three\n1.2500:          four\n`,
    );
    expect(statSync(path).mode & 0o777).to.equal(0o600);
  });

  it('never grows beyond its limit, and keeps the newest lines whole and in order', () => {
    const file = open();
    for (let number = 0; number < 5_000; number++) {
      file.put(LogLevel.INFO, `line ${number} ${'x'.repeat(number % 97)}`);
      expect(statSync(path).size).to.be.at.most(LIMIT);
    }
    file.close();
    const [header, note, ...rest] = lines();
    expect(header).to.equal(HEADER);
    expect(note).to.equal(`1.2500: info:    the oldest lines were cut: the limit is ${LIMIT} bytes`);
    const numbers = rest.map((line) => Number(/^1\.2500: info: {4}line (\d+) x*$/.exec(line)?.[1]));
    expect(numbers.at(-1)).to.equal(4_999);
    expect(numbers.every((number, at) => number === (numbers[0] as number) + at)).to.equal(true);
    expect(statSync(path).size).to.be.greaterThan(LIMIT / 2);
  });

  it('goes on behind what somebody else has left when truncating it', () => {
    const file = open();
    for (let number = 0; number < 50; number++) file.put(LogLevel.INFO, `line ${number}`);
    truncateSync(path, 0);
    file.put(LogLevel.INFO, 'after');
    file.close();
    expect(lines()).to.deep.equal(['1.2500: info:    after']);
  });

  it('what can not be written is lost, and nothing else happens', () => {
    const file = open();
    file.close();
    file.put(LogLevel.INFO, 'nowhere');
    expect(lines()).to.deep.equal([HEADER]);
  });

  it('what is no regular file is written to, and never cut', () => {
    const file = new LogFile('/dev/null', LIMIT, HEADER);
    for (let number = 0; number < 1_000; number++) file.put(LogLevel.INFO, 'x'.repeat(100));
    file.close();
    expect(() => new LogFile('/dev/full', LIMIT, HEADER)).to.throw(/^cannot make the log file '\/dev\/full' \(ENOSPC/);
  });

  it('a path that can not be had is told in one line', () => {
    expect(() => new LogFile('/nowhere/log', LIMIT, HEADER)).to.throw(
      /^cannot make the log file '\/nowhere\/log' \(ENOENT.*\); give --log-file another path$/,
    );
  });
});
