/**
 * The other end of a control socket: ours, or that of another make.
 *
 * Not for the supervisor, which serves: `node:net` takes longer to load than a start may.
 */
import { connect, type Socket } from 'node:net';
import type { ForwardingRule } from '../forwarding/rule.ts';
import { UsageError } from '../usage-error.ts';
import { decodeGreeting, decodeVerdict, encodeAnswer, MAX_ANSWER_BYTES, type ShownTable } from './codec.ts';

/** How long a server may take to greet us, ms. Others may be served before us. */
const GREETING_MS = 30_000;
/** More than any greeting has. */
const MAX_GREETING_BYTES = 4 * MAX_ANSWER_BYTES;

/** What a server said about our rules. `unknown`: it says nothing, as one of another make. */
export type Outcome = { readonly kind: 'done' | 'unknown' } | { readonly kind: 'refused'; readonly why: string };

/** There is nobody to talk to at that path. */
export class Unreachable extends UsageError {
  /** Nobody listens there, and nobody will: what a run that was killed leaves behind. */
  readonly isGone: boolean;

  constructor(path: string, why: string, isGone: boolean) {
    super(`'${path}': ${why}`);
    this.isGone = isGone;
  }
}

/** A conversation with a server, whose turn it is while we hold it: keep it short. */
export class ControlClient {
  readonly path: string;
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  #changed: () => void = () => {};
  #failure: Error | null = null;
  #ended = false;

  private constructor(path: string, socket: Socket) {
    this.path = path;
    this.#socket = socket;
    socket.on('data', (bytes) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes]);
      this.#changed();
    });
    socket.on('error', (error) => {
      this.#failure = error;
    });
    socket.on('close', () => {
      this.#ended = true;
      this.#changed();
    });
  }

  /** Connects to the socket at `path`, and is greeted. @throws Unreachable */
  static async open(path: string): Promise<{ client: ControlClient; tables: readonly ShownTable[] }> {
    const client = new ControlClient(path, connect({ path }));
    return { client, tables: await client.#greeting() };
  }

  #greeting(): Promise<readonly ShownTable[]> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        this.close();
        clearTimeout(limit);
        const { code } = (this.#failure ?? {}) as NodeJS.ErrnoException;
        reject(new Unreachable(this.path, why, code === 'ECONNREFUSED' || code === 'ENOENT'));
      };
      const limit = setTimeout(() => fail(`nobody has answered for ${GREETING_MS / 1000} s`), GREETING_MS);
      this.#changed = () => {
        try {
          const decoded = decodeGreeting(this.#bytes);
          if ('result' in decoded) {
            this.#bytes = Buffer.alloc(0);
            this.#changed = () => {};
            clearTimeout(limit);
            resolve(decoded.result);
          } else if (this.#ended) fail(causeOf(this.#failure));
          else if (this.#bytes.length > MAX_GREETING_BYTES) fail('it says more than any translator does');
        } catch (error) {
          fail((error as Error).message);
        }
      };
    });
  }

  /** Asks for these tables, every one of the greeting, and waits until the server has closed. */
  replace(tables: readonly { readonly id: number; readonly rules: readonly ForwardingRule[] }[]): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#changed = () => {
        if (!this.#ended) return;
        const verdict = decodeVerdict(this.#bytes);
        if (verdict === undefined) resolve({ kind: 'unknown' });
        else resolve(verdict === null ? { kind: 'done' } : { kind: 'refused', why: verdict });
      };
      this.#socket.write(encodeAnswer(tables));
      this.#changed();
    });
  }

  /** Ends without a change. */
  close(): void {
    this.#socket.destroy();
  }
}

function causeOf(error: Error | null): string {
  switch ((error as NodeJS.ErrnoException | null)?.code) {
    case 'ENOENT':
      return 'there is no such file; give the path that a run has got with --conf-path';
    case 'ECONNREFUSED':
    case 'ENOTSOCK':
      return 'nobody listens there; give the path of a run that is alive';
    case 'EACCES':
      return 'it belongs to another user; ask as that user, or as root';
    case undefined:
      return 'it has sent us away; only its own user and root may ask, and not from within the guest';
    default:
      return (error as Error).message;
  }
}
