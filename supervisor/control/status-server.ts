/**
 * The socket that tells of a run's state. Who asks can change nothing here.
 *
 * A client sends lines and gets a line of JSON for each: `status` → the run as a whole, `flows N` → some of its flows, those in row N of the
 * table and behind it, with the row to go on from (0 at the end). One client at a time (reception.ts), and CLIENT_MS for each question with
 * its answer; who has something else to say is sent away. Traffic never waits, but for the moment in which the worker lists a page of flows.
 */
import type { Native } from '../../native/supervisor.d.ts';
import { MAX_FLOWS } from '../../shared/limits.ts';
import { type Client, Reception, type ReceptionParts } from './reception.ts';

/** The longest right question and more. */
const MAX_QUESTION = 64;
/** How long until a client that reads slowly is written to again, ms. */
const REST_MS = 10;
const EAGAIN = -11;

/** Where the answers come from; each is an object for JSON. */
export interface StatusSource {
  status(): Promise<object>;
  flows(first: number): Promise<object>;
}

/** A listening socket. */
export class StatusServer {
  readonly #parts: ReceptionParts;
  readonly #reception: Reception;

  /**
   * Listens at `path`; clients wait until `serve`.
   * @throws UsageError when it can't be
   */
  constructor(parts: ReceptionParts, path: string) {
    this.#parts = parts;
    this.#reception = new Reception(parts, path, 'status socket');
  }

  /** Begins to serve the clients. */
  serve(source: StatusSource): void {
    this.#reception.open((client, done) => {
      const conversation = new Conversation(this.#parts, client, source, done);
      return { stop: () => conversation.end() };
    });
  }

  /** Serves nobody any more and removes the file. */
  close(): void {
    this.#reception.close();
  }
}

/** One client's. */
class Conversation {
  readonly #native: Pick<Native, 'watch' | 'send' | 'receive'>;
  readonly #parts: ReceptionParts;
  readonly #client: Client;
  readonly #source: StatusSource;
  readonly #done: () => void;
  #watch: { stop(): void } | null = null;
  #limit: NodeJS.Timeout | undefined;
  #rest: NodeJS.Timeout | undefined;
  #heard = '';
  #ended = false;

  constructor(parts: ReceptionParts, client: Client, source: StatusSource, done: () => void) {
    this.#native = parts.native;
    this.#parts = parts;
    this.#client = client;
    this.#source = source;
    this.#done = done;
    this.#listen();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#watch?.stop();
    clearTimeout(this.#limit);
    clearTimeout(this.#rest);
    this.#done();
  }

  #listen(): void {
    if (this.#ended) return;
    clearTimeout(this.#limit);
    this.#limit = setTimeout(() => this.end(), this.#parts.clientMs);
    this.#watch = this.#native.watch(this.#client.fd, () => this.#read());
  }

  #read(): void {
    const bytes = this.#native.receive(this.#client.fd, MAX_QUESTION);
    if (bytes === null) return;
    if (typeof bytes === 'number' || bytes.length === 0) {
      this.end();
      return;
    }
    this.#heard += Buffer.from(bytes).toString('latin1');
    const end = this.#heard.indexOf('\n');
    if (end < 0 && this.#heard.length < MAX_QUESTION) return;
    const question = this.#heard.slice(0, Math.max(end, 0));
    this.#heard = this.#heard.slice(end + 1);
    const answer = this.#answerTo(question);
    // A question of the past must be answered before the next: who asks two at once speaks another language.
    if (answer === null || this.#heard !== '') {
      this.end();
      return;
    }
    this.#watch?.stop();
    this.#watch = null;
    answer.then(
      (found) => this.#write(Buffer.from(`${JSON.stringify(found)}\n`)),
      () => this.end(),
    );
  }

  #answerTo(question: string): Promise<object> | null {
    if (question === 'status') return this.#source.status();
    const first = Number(/^flows (0|[1-9][0-9]{0,5})$/.exec(question)?.[1] ?? Number.NaN);
    return first < MAX_FLOWS ? this.#source.flows(first) : null;
  }

  #write(bytes: Uint8Array): void {
    if (this.#ended) return;
    const sent = this.#native.send(this.#client.fd, bytes);
    if (sent < 0 && sent !== EAGAIN) this.end();
    else if (sent === bytes.length) this.#listen();
    else this.#rest = setTimeout(() => this.#write(bytes.subarray(Math.max(sent, 0))), REST_MS);
  }
}
