/** What must hold of every TCP flow of the worker whenever its loop has nothing left to do. */
import { Counter } from '../../shared/counters.ts';
import { DEFAULT_TCP_TIMEOUTS } from '../../shared/limits.ts';
import { coldRows, FD, FLAGS, KIND, LAST_ACTIVE, ROW, rows, TCP, TIMER_AT, TIMER_SLOT } from '../../worker/flow/row.ts';
import { flowCount, rowsInUse } from '../../worker/flow/table.ts';
import { rangeAfter, rangeLeft, rangeRight } from '../../worker/tcp/reassembly.ts';
import { counters } from '../../worker/link/counters.ts';
import * as tcp from '../../worker/tcp/row.ts';
import type { FakeKernel } from './fake_kernel.ts';
import { checkScoreboard } from './scoreboard_check.ts';
import { FakeStream } from './fake_stream.ts';
import { UNTOUCHED } from './workbench.ts';

/** How long an ACK is delayed at most. */
const DELAYED_ACK_MS = 2;

const FIELDS = [
  'SND_UNA',
  'SND_MAX',
  'SND_WND',
  'RCV_NXT',
  'RCV_EDGE',
  'RETRANSMIT_AT',
  'ACK_AT',
  'RTO',
  'RETRIES',
  'HELD',
  'AHEAD_FIRST',
  'SACK_FIRST',
] as const;
const FLAG_NAMES = [
  'CONNECTING',
  'SYN_RECEIVED',
  'ESTABLISHED',
  'GUEST_FIN',
  'HOST_SHUT',
  'HOST_FIN',
  'FIN_SENT',
  'FIN_ACKED',
  'HOST_READABLE',
  'HOST_ENDING',
  'ACK_NOW',
  'ACK_DELAYED',
  'RETRANSMIT',
  'WINDOW_SMALL',
  'PEEK_ASTRAY',
  'SPOKE_LAST',
  'TIMESTAMPS',
  'SACK_PERMITTED',
  'SYN_SENT',
  'CLOSED_FIRST',
  'TIME_WAIT',
  'KEEPALIVE',
] as const;

/** A flow in words, for the message of a failure. */
export function describeFlow(row: number): string {
  const flags = FLAG_NAMES.filter((name) => ((rows[row + FLAGS] as number) & tcp[name]) !== 0).join(' ');
  return `${FIELDS.map((name) => `${name}=${rows[row + tcp[name]]}`).join(' ')} ${flags}`;
}

/** Throws when a flow is in a state that nothing would ever bring it out of, or that contradicts its socket. */
export function checkFlows(kernel: FakeKernel): void {
  const repaired = counters[Counter.tcp_stalls_repaired];
  if (repaired !== 0) throw new Error(`the watchdog found ${repaired} connections that had stopped`);
  let flows = 0;
  for (let row = 0; row < rows.length; row += ROW) {
    if (rows[row + KIND] === 0) continue;
    flows++;
    if (rows[row + KIND] === TCP) checkFlow(kernel, row);
  }
  // A field that has its place behind its own row would be the next flow's.
  const unused = rowsInUse() * ROW;
  for (let at = unused; at < Math.min(unused + ROW, rows.length); at++)
    if (rows[at] !== 0 || coldRows[at] !== UNTOUCHED)
      throw new Error(`field ${at - unused} of a row that was never taken is not as it was`);
  if (flows !== flowCount) throw new Error(`${flows} rows are taken and ${flowCount} flows counted`);
}

function checkFlow(kernel: FakeKernel, row: number): void {
  const has = (flag: number): boolean => ((rows[row + FLAGS] as number) & flag) !== 0;
  const insist = (holds: boolean, what: string): void => {
    if (!holds) throw new Error(`${what}: ${describeFlow(row)}`);
  };
  const at = (field: number): number => rows[row + field] as number;
  const armed = at(TIMER_SLOT) >= 0;
  insist(armed, 'no timer is linked');
  insist(((at(TIMER_AT) - at(LAST_ACTIVE)) | 0) <= DEFAULT_TCP_TIMEOUTS.idle, 'the timer is later than the idle limit');
  // The call for a delayed ACK may be a moment later than the retransmission, also when the ACK has gone meanwhile.
  if (has(tcp.RETRANSMIT) && !has(tcp.ACK_DELAYED))
    insist(((at(TIMER_AT) - at(tcp.RETRANSMIT_AT)) | 0) <= DELAYED_ACK_MS, 'the timer is later than the retransmission');
  if (has(tcp.RETRANSMIT))
    insist(((at(tcp.RETRANSMIT_AT) - Math.floor(kernel.now / 1000)) | 0) <= at(tcp.RTO), 'the retransmission is later than its timeout');
  if (has(tcp.PROBE_TIMER) && !has(tcp.ACK_DELAYED))
    insist(((at(TIMER_AT) - at(tcp.PROBE_AT)) | 0) <= DELAYED_ACK_MS, 'the timer is later than the probe');
  if (has(tcp.REORDER_TIMER))
    insist(((at(TIMER_AT) - (coldRows[row + tcp.REORDER_AT] as number)) | 0) <= 0, 'the timer is later than the judgement of a hole');
  if (has(tcp.ACK_DELAYED)) insist(((at(TIMER_AT) - at(tcp.ACK_AT)) | 0) <= 0, 'the timer is later than the delayed ACK');
  insist(!has(tcp.ACK_NOW), 'an ACK was owed and not sent');
  if (has(tcp.TIME_WAIT)) return checkTimeWait(kernel, at, insist);
  if (has(tcp.CONNECTING)) return;
  const stream = kernel.file(at(FD));
  if (!(stream instanceof FakeStream)) throw new Error(`the flow has no socket: ${describeFlow(row)}`);
  if (at(tcp.SND_MAX) !== at(tcp.SND_UNA)) insist(has(tcp.RETRANSMIT), 'something is unacknowledged and no timer runs');
  if (!has(tcp.ESTABLISHED)) return;
  const inFlight = (at(tcp.SND_MAX) - at(tcp.SND_UNA)) | 0;
  insist(inFlight >= 0, 'SND.UNA ≤ SND.MAX');
  checkScoreboard(row, insist);
  checkHostSide(stream, has, insist, inFlight);
  const awaitsRoom = stream.noSpace || kernel.isReady(at(FD));
  if (at(tcp.HELD) !== 0) insist(awaitsRoom, 'bytes wait for the socket and no event will come');
  if (has(tcp.WINDOW_SMALL) && !has(tcp.GUEST_FIN)) insist(awaitsRoom, 'the window is small and no event will come');
  checkReceiveBuffer(at, insist);
  const through = tcp.GUEST_FIN | tcp.HOST_SHUT | tcp.FIN_ACKED;
  insist((at(FLAGS) & through) !== through, 'the connection is through and still there');
}

/** Only the row is left, and only for a while. */
function checkTimeWait(kernel: FakeKernel, at: (field: number) => number, insist: (holds: boolean, what: string) => void): void {
  insist(kernel.file(at(FD)) === undefined, 'a socket in TIME-WAIT');
  insist(at(tcp.RCV_BUFFER) === 0, 'a receive buffer in TIME-WAIT');
  insist(((at(TIMER_AT) - at(LAST_ACTIVE)) | 0) <= 60_000, 'TIME-WAIT is longer than 2 MSL');
}

/** What came out of order: ranges in order, apart from each other and from RCV_NXT, within what was promised. */
function checkReceiveBuffer(at: (field: number) => number, insist: (holds: boolean, what: string) => void): void {
  insist(at(tcp.HELD) >= 0 && (at(tcp.RCV_BUFFER) !== 0 || (at(tcp.HELD) === 0 && at(tcp.AHEAD_FIRST) === 0)), 'bytes without a buffer');
  let edge = at(tcp.RCV_NXT);
  for (let range = at(tcp.AHEAD_FIRST); range !== 0; range = rangeAfter(range)) {
    insist(((rangeLeft(range) - edge) | 0) > 0 && ((rangeRight(range) - rangeLeft(range)) | 0) > 0, 'ranges touch, or are empty');
    edge = rangeRight(range);
  }
  if (at(tcp.AHEAD_FIRST) !== 0) insist(((at(tcp.RCV_EDGE) - edge) | 0) >= 0, 'bytes beyond the window are kept');
}

function checkHostSide(
  stream: FakeStream,
  has: (flag: number) => boolean,
  insist: (holds: boolean, what: string) => void,
  inFlight: number,
): void {
  const fin = has(tcp.FIN_SENT) && !has(tcp.FIN_ACKED) ? 1 : 0;
  const unsent = stream.incoming.length - (inFlight - fin);
  if (!has(tcp.FIN_ACKED)) insist(unsent >= 0, 'more in flight than the socket holds');
  const more = unsent > 0 || (stream.farEnded && !has(tcp.FIN_SENT));
  if (more) insist(has(tcp.RETRANSMIT), 'there is something to send and neither event nor timer');
  if (stream.hasPeekOffset && !has(tcp.PEEK_ASTRAY) && !has(tcp.FIN_SENT))
    insist(stream.peekOffset === inFlight, `the peek offset is ${stream.peekOffset}`);
}
