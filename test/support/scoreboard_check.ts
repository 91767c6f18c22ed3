/** What must hold of a flow's loss recovery whenever the worker's loop has nothing left to do: its sums are those of its parts. */
import { coldRows, FLAGS, rows } from '../../worker/flow/row.ts';
import { pipe } from '../../worker/tcp/congestion.ts';
import * as tcp from '../../worker/tcp/row.ts';
import * as board from '../../worker/tcp/scoreboard.ts';
import { FIN, RST, type Segment, SYN } from './guest_frame.ts';

type Insist = (holds: boolean, what: string) => void;

const reach = (from: number, to: number): number => Math.max((to - from) | 0, 0);
const furthest = (a: number, b: number): number => (((a - b) | 0) > 0 ? a : b);

/** Ranges in order, apart, between SND.UNA and SND.MAX; and what they sum up to: bytes SACKed, and bytes lost that wait to be sent again. */
function sumUp(row: number, insist: Insist): { sacked: number; lost: number } {
  const at = (field: number): number => rows[row + field] as number;
  const cold = (field: number): number => coldRows[row + field] as number;
  let start = at(tcp.SND_UNA);
  let sacked = 0;
  let lost = 0;
  for (let entry = at(tcp.SACK_FIRST); entry !== 0; entry = board.next[entry] as number) {
    const [left, right] = [board.left[entry] as number, board.right[entry] as number];
    insist(reach(start, left) > 0 && reach(left, right) > 0, 'ranges of the scoreboard touch, or are empty');
    if (board.lost[entry] === 1) lost += reach(furthest(start, board.resentTo[entry] as number), left);
    sacked += reach(left, right);
    start = right;
  }
  insist(reach(start, at(tcp.SND_MAX)) === ((at(tcp.SND_MAX) - start) | 0), 'SACKed and never sent');
  return { sacked, lost: lost + reach(furthest(start, cold(tcp.HIGH_RXT)), cold(tcp.HIGH_LOST)) };
}

/** Throws by `insist` when the books of the flow's recovery do not agree. */
export function checkScoreboard(row: number, insist: Insist): void {
  const at = (field: number): number => rows[row + field] as number;
  const cold = (field: number): number => coldRows[row + field] as number;
  const has = (flag: number): boolean => (at(FLAGS) & flag) !== 0;
  if (!has(tcp.LOSSY)) {
    insist(at(tcp.SACK_FIRST) === 0 && !has(tcp.RECOVERING | tcp.TIMED_OUT), 'a recovery that nobody looks after');
    insist(at(tcp.CWND) === 0, 'a congestion window that nobody looks after');
    return;
  }
  const { sacked, lost } = sumUp(row, insist);
  const flight = (at(tcp.SND_MAX) - at(tcp.SND_UNA)) | 0;
  if (has(tcp.SACK_PERMITTED)) insist(sacked === at(tcp.SACKED), `${sacked} bytes are SACKed`);
  else insist(at(tcp.SACK_FIRST) === 0 && at(tcp.SACKED) >= 0, 'SACK of a guest that has none');
  insist(lost === at(tcp.LOST), `${lost} bytes are lost`);
  insist(pipe(row) >= 0 && pipe(row) <= flight, `${pipe(row)} bytes are on their way`);
  insist(lost === 0 || has(tcp.RECOVERING), 'something is lost and no recovery has begun');
  insist(!has(tcp.TIMED_OUT) || has(tcp.RECOVERING), 'a timeout without a recovery');
  insist(at(tcp.CWND) >= 0 && cold(tcp.SSTHRESH) >= 0, 'a window below 0');
  insist(
    !has(tcp.RECOVERING) || reach(cold(tcp.RECOVER), at(tcp.SND_MAX)) === ((at(tcp.SND_MAX) - cold(tcp.RECOVER)) | 0),
    'RECOVER ≤ SND.MAX',
  );
}

/** Throws when a flow sends, just now, more than both windows allow, or what its scoreboard says the guest has. */
export function checkWrite(row: number, { seq, payload, flags }: Segment): void {
  if ((flags & (SYN | RST)) !== 0) return;
  checkWindows(row, seq, payload.length);
  const end = (seq + payload.length + ((flags & FIN) !== 0 ? 1 : 0)) | 0;
  for (let entry = rows[row + tcp.SACK_FIRST] as number; entry !== 0; entry = board.next[entry] as number) {
    const [left, right] = [board.left[entry] as number, board.right[entry] as number];
    if (reach(left, end) > 0 && reach(seq, right) > 0)
      throw new Error(`${left}…${right} is there and was sent again, from ${seq} to ${end}`);
  }
}

/** Neither the guest's window, which may have shrunk, nor the congestion window is exceeded, but for a probe (RFC 8985 §7.3). */
function checkWindows(row: number, seq: number, length: number): void {
  if (length === 0) return;
  const at = (field: number): number => rows[row + field] as number;
  const beyond = (seq + length - at(tcp.SND_UNA) - at(tcp.SND_WND)) | 0;
  if (beyond > 0) throw new Error(`${beyond} bytes are sent beyond the guest's window as it is now, from ${seq} on`);
  if (at(tcp.CWND) === 0 || (at(FLAGS) & tcp.PROBED) !== 0) return;
  const over = (pipe(row) + length - at(tcp.CWND)) | 0;
  if (over > 0) throw new Error(`${over} bytes are sent beyond the congestion window of ${at(tcp.CWND)}, from ${seq} on`);
}
