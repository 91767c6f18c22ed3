/**
 * Epoll of the fake kernel. It keeps a list of files that may be ready, filled when a file wakes and when a watch is added or modified
 * while the file is ready; each wait polls what is on the list, reports what still is ready, and forgets it, unless it is watched
 * level-triggered. So an edge that is not taken is gone, exactly as with the real one.
 */
import { ENOENT, EPOLLERR, EPOLLHUP, type FakeFile } from './fake_file.ts';

const EPOLLET = 1 << 31;
const DELETE = 2;
const MODIFY = 3;

interface Watch {
  fd: number;
  file: FakeFile;
  events: number;
  data: number;
  generation: number;
}

/** One event as epoll_wait gives it. */
export interface FakeEvent {
  events: number;
  data: number;
  generation: number;
}

export class FakeEpoll {
  readonly #watches = new Map<number, Watch>();
  #ready: Watch[] = [];

  /** Events that the descriptor is watched for, 0: it is not watched. */
  eventsOf(fd: number): number {
    return this.#watches.get(fd)?.events ?? 0;
  }

  /** Whether an event of the descriptor waits to be taken. */
  isReady(fd: number): boolean {
    return this.#ready.some((watch) => watch.fd === fd && pollOf(watch) !== 0);
  }

  /** Whether any event waits to be taken. */
  anyReady(): boolean {
    return this.#ready.some((watch) => pollOf(watch) !== 0);
  }

  control(operation: number, fd: number, file: FakeFile, events: number, data: number, generation: number): number {
    if (operation === DELETE) {
      this.forget(fd);
      return 0;
    }
    const old = this.#watches.get(fd);
    if (operation === MODIFY && old === undefined) return -ENOENT;
    const watch = old ?? { fd, file, events, data, generation };
    Object.assign(watch, { events, data, generation });
    this.#watches.set(fd, watch);
    file.wake = (mask) => this.#woken(watch, mask);
    if (pollOf(watch) !== 0) this.#woken(watch, 0);
    return 0;
  }

  wait(most: number): FakeEvent[] {
    const happened: FakeEvent[] = [];
    for (const watch of this.#ready.splice(0, most)) {
      const events = pollOf(watch);
      if (events === 0) continue;
      happened.push({ events, data: watch.data, generation: watch.generation });
      if ((watch.events & EPOLLET) === 0) this.#ready.push(watch);
    }
    return happened;
  }

  /** The descriptor was closed, or is of no interest any more. */
  forget(fd: number): void {
    const watch = this.#watches.get(fd);
    if (watch === undefined) return;
    this.#watches.delete(fd);
    watch.file.wake = () => {};
    this.#ready = this.#ready.filter((other) => other !== watch);
  }

  #woken(watch: Watch, mask: number): void {
    if (mask !== 0 && (mask & (watch.events | EPOLLERR | EPOLLHUP)) === 0) return;
    if (!this.#ready.includes(watch)) this.#ready.push(watch);
  }
}

function pollOf(watch: Watch): number {
  return watch.file.poll() & ((watch.events & ~EPOLLET) | EPOLLERR | EPOLLHUP);
}
