/** Files that change under their name: what is watched, and that each change is told. */
import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileWatch, placesOf } from '../../supervisor/host/file-watch.ts';

describe('supervisor/host/file-watch', () => {
  let folder: string;
  let watch: FileWatch | null;
  let told = (): void => {};

  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'file-watch-')));
    mkdirSync(join(folder, 'etc'));
    watch = null;
  });
  afterEach(() => {
    watch?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const path = (): string => join(folder, 'etc/resolv.conf');
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);

  describe('places', () => {
    const places = (): string[] => placesOf(path()).map((place) => `${place.folder.slice(folder.length)} ${place.name}`);

    it('a file, whether it is there or not, is in its folder', () => {
      expect(places()).to.eql(['/etc resolv.conf']);
      write('etc/resolv.conf', '');
      expect(places()).to.eql(['/etc resolv.conf']);
    });

    it('each link on the way counts', () => {
      mkdirSync(join(folder, 'run/resolve'), { recursive: true });
      symlinkSync('../link', path());
      symlinkSync('run/resolve/stub', join(folder, 'link'));
      expect(places()).to.eql(['/etc resolv.conf', ' link', '/run/resolve stub']);
    });

    it('a folder that is not there yet is awaited where it would be made', () => {
      symlinkSync('../run/resolve/stub', path());
      expect(places()).to.eql(['/etc resolv.conf', ' run']);
      mkdirSync(join(folder, 'run'));
      expect(places()).to.eql(['/etc resolv.conf', '/run resolve']);
    });

    it('a link to itself has an end', () => {
      symlinkSync('resolv.conf', path());
      expect(places()).to.have.length(40);
    });
  });

  /** Makes a change and resolves when the watch has told what the file says then; a test that hangs is one that missed a change. */
  async function after(change: () => void, expected: string | null): Promise<void> {
    watch ??= new FileWatch(
      path(),
      () => told(),
      (error) => {
        throw error;
      },
    );
    const seen = new Promise<void>((resolve) => {
      told = () => {
        const text = existsSync(path()) ? readFileSync(path(), 'utf8') : null;
        if (text === expected) resolve();
      };
    });
    change();
    await seen;
  }

  it('tells of a file that is made, written, replaced, deleted', async () => {
    await after(() => write('etc/resolv.conf', 'made'), 'made');
    await after(() => write('etc/resolv.conf', 'written'), 'written');
    await after(() => {
      write('etc/new', 'replaced');
      renameSync(join(folder, 'etc/new'), path());
    }, 'replaced');
    await after(() => rmSync(path()), null);
    await after(() => write('etc/resolv.conf', 'again'), 'again');
  });

  it('tells of what happens behind a link, of a folder that is made, goes and comes again', async () => {
    symlinkSync('../run/resolve/stub', path());
    await after(() => mkdirSync(join(folder, 'run')), null);
    await after(() => mkdirSync(join(folder, 'run/resolve')), null);
    await after(() => write('run/resolve/stub', 'made'), 'made');
    await after(() => write('run/resolve/stub', 'written'), 'written');
    await after(() => rmSync(join(folder, 'run/resolve'), { recursive: true }), null);
    await after(() => {
      mkdirSync(join(folder, 'run/resolve'));
      write('run/resolve/stub', 'again');
    }, 'again');
  });

  it('tells of another link', async () => {
    write('etc/other', 'other');
    write('etc/resolv.conf', 'first');
    await after(() => {
      symlinkSync('other', join(folder, 'etc/link'));
      renameSync(join(folder, 'etc/link'), path());
    }, 'other');
    await after(() => write('etc/other', 'changed'), 'changed');
  });

  it('tells of what is written under another name of the same file, as where it is bind-mounted', async () => {
    write('etc/resolv.conf', 'first');
    execFileSync('ln', [path(), join(folder, 'elsewhere')]);
    await after(() => write('elsewhere', 'written'), 'written');
  });

  it('looks by itself while the kernel has no watch to give, says so once, and watches when it has', async () => {
    let refusals = 0;
    let left = 2;
    const scarce = (...words: Parameters<typeof fs.watch>): fs.FSWatcher => {
      if (left-- > 0) throw Object.assign(new Error('EMFILE'), { code: 'EMFILE' });
      return fs.watch(...words);
    };
    watch = new FileWatch(
      path(),
      () => told(),
      () => refusals++,
      { watch: scarce as typeof fs.watch, lookEvery: 10 },
    );
    await after(() => write('etc/resolv.conf', 'made'), 'made');
    await after(() => write('etc/resolv.conf', 'written'), 'written');
    expect([refusals, left < 0]).to.eql([1, true]);
  });

  it('is silent about other files of the folder, and once it is stopped', async () => {
    const changes: string[] = [];
    const [absent, stopped] = ['absent', 'resolv.conf'].map(
      (name) =>
        new FileWatch(
          join(folder, 'etc', name),
          () => changes.push(name),
          () => {},
        ),
    );
    stopped?.stop();
    // What these have to tell they tell before a watch that is younger.
    await after(() => write('etc/resolv.conf', 'made'), 'made');
    await after(() => write('etc/resolv.conf', 'written'), 'written');
    absent?.stop();
    expect(changes).to.eql([]);
  });
});
