/**
 * A client's answer while its bytes arrive, in pieces of any size. Pure.
 *
 * What is there is looked at again only when as much has come as the last look asked for, so a client that sends single bytes costs
 * hardly more than one that sends all at once.
 */
import type { Enabled } from '../forwarding/rule.ts';
import type { ForwardingTable } from '../forwarding/table.ts';
import { decodeAnswer, MAX_ANSWER_BYTES, ProtocolError } from './codec.ts';

/** One answer. */
export class Answer {
  readonly #bytes = new Uint8Array(MAX_ANSWER_BYTES);
  readonly #enabled: Enabled;
  #length = 0;
  #needs = 1;

  /** `enabled`: what was greeted with. */
  constructor(enabled: Enabled) {
    this.#enabled = enabled;
  }

  /** True while nothing has come. */
  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /**
   * Takes what came next; the rules when that was the rest, else null.
   * @throws ProtocolError
   */
  take(bytes: Uint8Array): ForwardingTable | null {
    if (this.#length + bytes.length > this.#bytes.length) throw new ProtocolError('it sends more than all rules that there can be');
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    if (this.#length < this.#needs) return null;
    const decoded = decodeAnswer(this.#bytes.subarray(0, this.#length), this.#enabled);
    if ('result' in decoded) return decoded.result;
    this.#needs = decoded.needs;
    return null;
  }
}
