/**
 * Flows that wait in a line. Each is remembered with its generation, so one that has ended meanwhile is left out, also when its row is
 * another's by then.
 */
import { GENERATION, KIND, ROW, rows } from './row.ts';

const MOST = 4096;

export class FlowQueue {
  readonly #flows = new Int32Array(MOST);
  readonly #generations = new Int32Array(MOST);
  #at = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Puts the flow at the end. False when the line is full. */
  push(flow: number): boolean {
    if (this.#length === MOST) return false;
    const at = (this.#at + this.#length++) % MOST;
    this.#flows[at] = flow;
    this.#generations[at] = rows[flow * ROW + GENERATION]!;
    return true;
  }

  /** The first, whether it has ended or not. Only while `length` > 0, as the others below. */
  get first(): number {
    return this.#flows[this.#at]!;
  }

  /** Whether the first is still the flow that was put in. */
  isFirstAlive(): boolean {
    const row = this.first * ROW;
    return rows[row + KIND] !== 0 && rows[row + GENERATION] === this.#generations[this.#at];
  }

  /** Takes the first away. */
  shift(): void {
    this.#at = (this.#at + 1) % MOST;
    this.#length--;
  }
}
