/**
 * The table of `--stats`: a row of counters since the start, for each interval in which something happened.
 */
import { Counter } from '../shared/counters.ts';

/** Headings, and the counter below each; the flows that are open are the first column. */
const COLUMNS = [
  ['from guest', Counter.frames_from_guest],
  ['bytes', Counter.bytes_from_guest],
  ['to guest', Counter.frames_to_guest],
  ['bytes', Counter.bytes_to_guest],
  ['TCP', Counter.tcp_flows_opened],
  ['UDP', Counter.udp_flows_opened],
  ['ping', Counter.ping_flows_opened],
  ['spliced', Counter.spliced_connections_opened],
  ['malformed', Counter.frames_malformed],
  ['wake-ups', Counter.wakeups],
] as const;

const WIDTH = 14;
/** Rows between two headings. */
const ROWS = 20;

/** Makes the rows of one run. */
export class Statistics {
  #rows = 0;
  #events = 0;

  /** Lines to show, none when no frame came or went and no connection began since the last call. */
  rowsOf(counters: readonly number[], flows: number): string[] {
    const values = COLUMNS.map(([, counter]) => counters[counter] ?? 0);
    // To be asked wakes the worker, too.
    const events = values.slice(0, -1).reduce((sum, value) => sum + value, 0);
    if (events === this.#events) return [];
    this.#events = events;
    const row = rowOf([flows, ...values]);
    return this.#rows++ % ROWS === 0 ? [rowOf(['flows', ...COLUMNS.map(([heading]) => heading)]), row] : [row];
  }
}

function rowOf(cells: readonly (string | number)[]): string {
  return cells.map((cell) => String(cell).padStart(WIDTH)).join('');
}
