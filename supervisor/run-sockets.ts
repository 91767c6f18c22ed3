/**
 * The sockets at which a run can be asked: for other rules, and what it is doing (control/instances.ts).
 *
 * A path that was asked for is taken before anything is started, since it is the user's to put right. The run's own places are taken when its
 * command is on the way already, but by root, who may be somebody else by then, at once; what that somebody can't remove at the end, the
 * next run of root's removes.
 */
import { listenAsInstance, mayBeInGuest, tellAsInstance } from './control/instances.ts';
import { CLIENT_MS, type ReceptionParts } from './control/reception.ts';
import { ControlServer } from './control/server.ts';
import type { StatusServer } from './control/status-server.ts';
import type { SlirpCaller } from './slirp/caller.ts';
import { type RunIdentity, statusSource } from './status-source.ts';
import type { Rooms, Surroundings } from './startup.ts';

const ROOT = 0;

/** What is known of the run; `slirp`: who has a socket of his own. */
type RunSocketsAround = Pick<Surroundings, 'native' | 'log' | 'options'> & { readonly slirp: SlirpCaller | null };

/** Those of one run. */
export class RunSockets {
  readonly #around: RunSocketsAround;
  #control: ControlServer | null = null;
  #status: StatusServer | null = null;
  /** Inode of the guest's network namespace, once there is one. */
  #guest: number | null = null;

  /** Takes what has to be taken before the user changes. @throws UsageError about a path that was asked for. */
  constructor(around: RunSocketsAround) {
    this.#around = around;
    around.slirp?.prepare({ ...this.#parts(), isRefused: () => false });
    const { log, options } = around;
    if (options.controlPath !== null) {
      this.#control = new ControlServer({ ...this.#parts(), isRefused: () => false }, options.controlPath);
      log.info(`forwarding rules can be changed at ${options.controlPath}`);
    }
    if (process.geteuid?.() === ROOT) this.#takeOwnPlaces();
  }

  /** Everything is there: whoever asks is answered from now on. */
  serve(run: RunIdentity, rooms: Rooms): void {
    this.#guest = rooms.guest;
    this.#takeOwnPlaces();
    this.#control?.serve(rooms.forwarding);
    this.#status?.serve(statusSource(run, rooms));
  }

  close(): void {
    this.#around.slirp?.close();
    this.#control?.close();
    this.#status?.close();
  }

  #takeOwnPlaces(): void {
    const folder = process.env['XDG_RUNTIME_DIR'];
    this.#control ??= listenAsInstance(this.#parts(), folder);
    this.#status ??= tellAsInstance(this.#parts(), folder);
  }

  #parts(): ReceptionParts {
    const { native, log } = this.#around;
    return {
      native,
      log,
      // Who we are when somebody comes.
      get uid() {
        return process.geteuid?.() as number;
      },
      clientMs: CLIENT_MS,
      isRefused: (pid) => mayBeInGuest(pid, this.#guest),
    };
  }
}
