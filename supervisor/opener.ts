/**
 * The supervisor's end of an opener: the set-up verbs of shared/opener.ts.
 *
 * A question can be posted before the opener's program has even been loaded, and its answer collected when it is needed. The answers come
 * in order and within tens of microseconds, so waiting for one here costs less than a turn of the loop would.
 */
import type { Native } from '../native/supervisor.d.ts';
import { OPENER_ANSWER, OPENER_REQUEST } from '../shared/limits.ts';
import { OpenerAnswer, OpenerRequest, Verb } from '../shared/opener.ts';

/** How long an opener may take: it has to be started, and may wait for the kernel's network configuration lock. */
const ANSWER_MS = 10_000;

const EAGAIN = 11;

/** An opener's answer: `result` as `Verb` says, −errno included, and the descriptor, now ours, where one came. */
export interface OpenerReply {
  readonly result: number;
  readonly descriptor: number | null;
}

/** One opener, seen from its SUPERVISOR_FD. */
export class Opener {
  readonly #native: Native;
  readonly #socket: number;
  readonly #place: 'host' | 'guest';

  /** `socket` is our end, non-blocking. */
  constructor(native: Native, socket: number, place: 'host' | 'guest') {
    this.#native = native;
    this.#socket = socket;
    this.#place = place;
  }

  /** Sends a question. `name` is the interface of Verb.TAP. */
  post(verb: Verb, name = ''): void {
    // Which family is asked for means nothing to these verbs, but the field must hold one.
    this.#send(verb, 4, Buffer.from(name));
  }

  /**
   * Says which address of the host's loopback is its resolver of a family; null = none is. Verb.RESOLVER.
   * @throws Error when the opener does not take it.
   */
  setResolver(family: 4 | 6, address: Uint8Array | null): void {
    this.#send(Verb.RESOLVER, family, address ?? new Uint8Array(0));
    const { result } = this.collect(Verb.RESOLVER);
    if (result !== 0) {
      throw new Error(`${this.#name()} does not take the resolver (errno ${-result})`);
    }
  }

  #send(verb: Verb, family: 4 | 6, destination: Uint8Array): void {
    const request = new Uint8Array(OPENER_REQUEST);
    const view = new DataView(request.buffer);
    view.setUint8(OpenerRequest.FAMILY, family);
    view.setUint8(OpenerRequest.VERB, verb);
    view.setUint32(OpenerRequest.ID, verb, true);
    request.set(destination, OpenerRequest.DESTINATION);
    const sent = this.#native.sendWithDescriptors(this.#socket, request, []);
    if (sent < 0) {
      throw new Error(`${this.#name()} can't be asked (errno ${-sent})`);
    }
  }

  /**
   * Waits for the answer to the oldest question that has none yet, which must be `verb`.
   * @throws Error when there is no answer, or one that isn't to this question.
   */
  collect(verb: Verb): OpenerReply {
    for (;;) {
      const answer = this.#native.receiveWithDescriptors(this.#socket, OPENER_ANSWER);
      if (answer === -EAGAIN) {
        if (this.#native.waitReadable(this.#socket, ANSWER_MS) <= 0) {
          throw new Error(`${this.#name()} gave no answer to verb ${verb}`);
        }
        continue;
      }
      if (answer === null || typeof answer === 'number') {
        throw new Error(`${this.#name()} ended instead of answering verb ${verb}; start with --debug to see why`);
      }
      return this.#check(answer, verb);
    }
  }

  /** Posts and collects. */
  ask(verb: Verb, name = ''): OpenerReply {
    this.post(verb, name);
    return this.collect(verb);
  }

  #check(answer: { bytes: Uint8Array; fds: number[] }, verb: Verb): OpenerReply {
    const { bytes, fds } = answer;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (bytes.length !== OPENER_ANSWER || view.getUint32(OpenerAnswer.ID, true) !== verb || fds.length > 1) {
      for (const fd of fds) {
        this.#native.close(fd);
      }
      throw new Error(`${this.#name()} gave a malformed answer to verb ${verb}`);
    }
    return { result: view.getInt32(OpenerAnswer.RESULT, true), descriptor: fds[0] ?? null };
  }

  #name(): string {
    return `the opener of the ${this.#place}'s network`;
  }
}
