/**
 * Tells when what a path leads to has changed: written in place, replaced by another file, or reached by another link.
 *
 * Theory of operation. Editors and daemons replace a file by renaming a new one over it, and resolv.conf is often a link into a folder
 * that is made later, so the name is watched and not the file: inotify on the folder of each link on the way and of the file itself, on the
 * file for what is bind-mounted there, and on the nearest folder that exists where one does not. Any event in which one of the names
 * occurs counts. The writer is given a moment to finish (a file is empty between being truncated and written); then all watches are
 * made anew, since the way may have changed, and only then the caller is told, so nothing falls between.
 *
 * A user has few inotify instances (fs.inotify.max_user_instances, often 128). While the kernel has none to give the caller is told
 * every few seconds, as if there had been a change, and the watches are tried again each time.
 */
import { type FSWatcher, existsSync, readlinkSync, watch } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';

/** How long a writer may take between two events of one change, ms. */
const SETTLE_MS = 50;
/** How often it is looked where the kernel does not tell, ms. */
const LOOK_MS = 5000;
/** Links that the kernel follows (path_resolution(7)). */
const MOST_LINKS = 40;

/** A folder, and the name in it that matters. */
interface Place {
  readonly folder: string;
  readonly name: string;
}

/** The folders on the way to what `path` leads to; the last place is that of the file. */
export function placesOf(path: string): Place[] {
  const places: Place[] = [];
  for (let at = resolve(path); places.length < MOST_LINKS; ) {
    places.push(nearest(at));
    try {
      at = resolve(dirname(at), readlinkSync(at));
    } catch {
      // No link: the end of the way, whether there is a file or not.
      break;
    }
  }
  return places;
}

/** Where the first thing on the way to `path` would be made that is missing, or the file itself. */
function nearest(path: string): Place {
  let at = path;
  while (!existsSync(dirname(at))) at = dirname(at);
  return { folder: dirname(at), name: basename(at) };
}

/** What does the watching, and how often (ms) it is looked where that is refused. */
export interface Means {
  readonly watch: typeof watch;
  readonly lookEvery: number;
}

/** One watched path. */
export class FileWatch {
  readonly #path: string;
  readonly #changed: () => void;
  readonly #refused: (error: Error) => void;
  readonly #how: Means;
  #watchers: FSWatcher[] = [];
  #settling: NodeJS.Timeout | undefined;
  #stopped = false;
  #wasRefused = false;

  /**
   * Begins to watch; keeps no process alive. `changed` is called after each change, and at times without one; `refused`, at most once,
   * when the kernel gives no watch. `how` is for tests.
   */
  constructor(path: string, changed: () => void, refused: (error: Error) => void, how: Means = { watch, lookEvery: LOOK_MS }) {
    this.#path = path;
    this.#changed = changed;
    this.#refused = refused;
    this.#how = how;
    this.#begin();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#settling);
    this.#end();
  }

  #begin(): void {
    try {
      for (const { folder, name } of placesOf(this.#path)) {
        // Its own name is what is told of a folder that goes away.
        this.#watch(folder, [name, basename(folder)]);
      }
      if (existsSync(this.#path)) this.#watch(this.#path, null);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        // Something went away between two looks; the one that was there before is watched, or the next look finds it.
        this.#notice(SETTLE_MS);
        return;
      }
      this.#notice(this.#how.lookEvery);
      if (!this.#wasRefused) this.#refused(error as Error);
      this.#wasRefused = true;
    }
  }

  #watch(path: string, names: readonly string[] | null): void {
    const watcher = this.#how.watch(path, { persistent: false }, (_, name) => {
      if (names === null || name === null || names.includes(name)) this.#notice(SETTLE_MS);
    });
    watcher.on('error', () => this.#notice(SETTLE_MS));
    this.#watchers.push(watcher);
  }

  #notice(delay: number): void {
    if (this.#stopped) return;
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      this.#end();
      this.#begin();
      this.#changed();
    }, delay).unref();
  }

  #end(): void {
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
  }
}
