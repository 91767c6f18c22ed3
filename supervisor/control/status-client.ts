/**
 * The other end of a status socket (status-server.ts).
 */
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { UsageError } from '../usage-error.ts';

/** How long a run may take for an answer, ms. Others may be served before us. */
const ANSWER_MS = 30_000;

/** The run has gone meanwhile, or does not answer. */
export class NoAnswer extends UsageError {}

/** A conversation with a run; one question at a time. */
export class StatusClient {
  readonly #socket: Socket;
  readonly #lines: AsyncIterator<string>;
  #failure: Error | null = null;

  constructor(path: string) {
    this.#socket = connect({ path });
    this.#socket.on('error', (error) => {
      this.#failure = error;
    });
    this.#socket.setTimeout(ANSWER_MS, () => this.#socket.destroy(new Error(`nobody has answered for ${ANSWER_MS / 1000} s`)));
    this.#lines = createInterface({ input: this.#socket, crlfDelay: Number.POSITIVE_INFINITY })[Symbol.asyncIterator]();
  }

  /** The answer to `status` or `flows N`. @throws NoAnswer */
  async ask(question: string): Promise<unknown> {
    this.#socket.write(`${question}\n`);
    const { value, done } = await this.#lines.next();
    if (done)
      throw new NoAnswer(
        this.#failure?.message ?? 'it has sent us away; only its own user and root may ask, and not from within the guest',
      );
    return JSON.parse(value);
  }

  close(): void {
    this.#socket.destroy();
  }
}
