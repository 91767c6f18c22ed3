/**
 * Tells when what a path leads to has changed: written in place, replaced by another file, or reached by another link.
 *
 * Theory of operation. Editors and daemons replace a file by renaming a new one over it, and resolv.conf is often a link into a folder
 * that is made later, so the name is watched and not the file: inotify on the folder of each link on the way and of the file itself, on the
 * file for what is bind-mounted there, and on the nearest folder that exists where one does not. Any event in which one of the names
 * occurs counts. The writer is given a moment to finish (a file is empty between being truncated and written); then all watches are
 * made anew, since the way may have changed, and only then the caller is told, so nothing falls between.
 */
import { type FSWatcher, existsSync, readlinkSync, watch } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';

/** How long a writer may take between two events of one change, ms. */
const SETTLE_MS = 50;
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

/** One watched path. */
export class FileWatch {
  readonly #path: string;
  readonly #changed: () => void;
  readonly #failed: (error: Error) => void;
  #watchers: FSWatcher[] = [];
  #settling: NodeJS.Timeout | undefined;
  #stopped = false;

  /**
   * Begins to watch; keeps no process alive. `changed` is called after each change; `failed`, at most once, when the kernel has no more
   * watches to give (fs.inotify.max_user_instances), and then nothing more is seen.
   */
  constructor(path: string, changed: () => void, failed: (error: Error) => void) {
    this.#path = path;
    this.#changed = changed;
    this.#failed = failed;
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
        this.#notice();
        return;
      }
      this.stop();
      this.#failed(error as Error);
    }
  }

  #watch(path: string, names: readonly string[] | null): void {
    const watcher = watch(path, { persistent: false }, (_, name) => {
      if (names === null || name === null || names.includes(name)) this.#notice();
    });
    watcher.on('error', () => this.#notice());
    this.#watchers.push(watcher);
  }

  #notice(): void {
    if (this.#stopped) return;
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      this.#end();
      this.#begin();
      if (!this.#stopped) this.#changed();
    }, SETTLE_MS);
  }

  #end(): void {
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
  }
}
