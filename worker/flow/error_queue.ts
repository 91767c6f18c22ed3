/**
 * What the error queue of a flow's host socket tells, as the ICMP (RFC 792) or ICMPv6 (RFC 4443) error that a router or the far host
 * would send to the guest.
 *
 * The kernel keeps each error with as much of the datagram as the ICMP error returned, and its type, code and sender; or, for
 * an error that it found itself, an errno and the MTU.
 */
import { ERROR_RECORD, SPLIT } from '../link/arena.ts';
import { kernel } from '../link/kernel.ts';
import { isLoopback4, isLoopback6, isMapped, isUnspecified6 } from '../wire/address.ts';
import {
  FRAGMENTATION_NEEDED4,
  isTooBig,
  PACKET_TOO_BIG6,
  PARAMETER_PROBLEM4,
  PARAMETER_PROBLEM6,
  UNREACHABLE4,
  UNREACHABLE6,
} from '../wire/icmp.ts';
import { readAddress } from '../wire/ipv6.ts';
import { view } from '../wire/memory.ts';
import { blameFar, complainer, setComplainerDistance, unreachableCode } from './icmp_error.ts';
import { isIpv4 } from './packet.ts';
import { mayFragment } from './path.ts';
import { FD, GUEST, rows, SENT_LENGTH } from './row.ts';

/** More of a datagram never fits into an error (RFC 4443 §3.1: 1280 bytes in all). */
export const MOST_RETURNED = 1232;

// Offsets into the record of native.receiveError.
const ERRNO = 0;
const ORIGIN = 4;
const TYPE = 8;
const CODE = 12;
const INFO = 16;
const OFFENDER = 20;
const HOP_LIMIT = 36;

const ORIGIN_LOCAL = 1;
const ORIGIN_ICMP = 2;
const ORIGIN_ICMP6 = 3;

const EMSGSIZE = 90;

/** What `takeError` took: nothing; an error of this host, an error that somebody sent. */
const NO_ERROR = 0;
const LOCAL_ERROR = 1;
const SENT_ERROR = 2;

/** After `takeError`, `takeRefusal` or `judgeErrno`: type, code and second word of the ICMP error. */
export let errorType = 0;
export let errorCode = 0;
export let errorWord = 0;
/** After `takeError`: how many bytes of the datagram came back; they lie at SPLIT, UDP's without header, an echo request's with. */
let errorReturned = 0;

/**
 * What this host found out by itself: `errno`, and the MTU in `info` for EMSGSIZE. The far address is who complains. False when no ICMP
 * error says that.
 */
function judgeErrno(row: number, errno: number, info: number): boolean {
  const ipv4 = isIpv4(row);
  blameFar(row);
  if (errno === EMSGSIZE) {
    errorType = ipv4 ? UNREACHABLE4 : PACKET_TOO_BIG6;
    errorCode = ipv4 ? FRAGMENTATION_NEEDED4 : 0;
    errorWord = info;
    return info > 0;
  }
  errorType = ipv4 ? UNREACHABLE4 : UNREACHABLE6;
  errorCode = unreachableCode(errno, ipv4);
  errorWord = 0;
  return errorCode >= 0;
}

/**
 * Who complains is the offender, unless the guest knows it by the far address only (a mapped host, nobody's address), or by its own: the
 * host's address is the guest's too, and no kernel takes a packet that says to come from itself.
 */
function blameOffender(row: number): void {
  readAddress(ERROR_RECORD + OFFENDER, complainer, 0);
  setComplainerDistance(view.getInt32(ERROR_RECORD + HOP_LIMIT, true));
  const ipv4 = isMapped(complainer, 0);
  const unknown = ipv4 ? isLoopback4(complainer[3]!) || complainer[3] === 0 : isLoopback6(complainer, 0) || isUnspecified6(complainer, 0);
  const own =
    complainer[3] === rows[row + GUEST + 3] &&
    complainer[2] === rows[row + GUEST + 2] &&
    complainer[1] === rows[row + GUEST + 1] &&
    complainer[0] === rows[row + GUEST];
  if (unknown || own || ipv4 !== isIpv4(row)) blameFar(row);
}

/** The kernel gives the second word as a number: the MTU, the pointer of a parameter problem (ICMP has that in its first byte). */
function wordOf(ipv4: boolean, info: number): number {
  if (!ipv4) return errorType === PACKET_TOO_BIG6 || errorType === PARAMETER_PROBLEM6 ? info : 0;
  if (errorType === PARAMETER_PROBLEM4) return info << 24;
  return isTooBig(ipv4, errorType, errorCode) ? info & 0xffff : 0;
}

/**
 * Takes the next error that the guest is to be told of out of the queue; NO_ERROR when there is none. When the host's kernel `cuts` what
 * it sends, that a piece was too big is not for the guest: that kernel has learned it, and makes smaller ones.
 */
function takeError(row: number, cuts: boolean): number {
  const ipv4 = isIpv4(row);
  for (;;) {
    errorReturned = kernel.receiveError(rows[row + FD]!, SPLIT, MOST_RETURNED, ERROR_RECORD);
    if (errorReturned < 0) return NO_ERROR;
    const origin = view.getInt32(ERROR_RECORD + ORIGIN, true);
    const info = view.getInt32(ERROR_RECORD + INFO, true);
    if (origin === ORIGIN_LOCAL) {
      if (judgeErrno(row, view.getInt32(ERROR_RECORD + ERRNO, true), info)) return LOCAL_ERROR;
    } else if (origin === (ipv4 ? ORIGIN_ICMP : ORIGIN_ICMP6)) {
      errorType = view.getInt32(ERROR_RECORD + TYPE, true);
      errorCode = view.getInt32(ERROR_RECORD + CODE, true);
      if (isTooBig(ipv4, errorType, errorCode) && cuts) continue;
      errorWord = wordOf(ipv4, info);
      blameOffender(row);
      return SENT_ERROR;
    }
  }
}

/** Tells the guest of one error about what it sent: `returned` bytes of that lie at `at`, of `original` in all, which count the upper header. */
export type Tell = (row: number, at: number, returned: number, original: number) => void;

/** What was to be sent, `length` bytes at `at` behind a header of `header` bytes, could not be sent at all: `errno` of this host. */
export function tellRefusal(tell: Tell, row: number, errno: number, at: number, length: number, header: number): void {
  if (judgeErrno(row, errno, 0)) tell(row, at, length, header + length);
}

/**
 * Empties the flow's error queue and has the guest told of each error. What this host found itself is about what was just to be sent:
 * `length` bytes at `at`, behind a header of `header` bytes. True when there was such an error.
 */
export function tellQueue(tell: Tell, row: number, at: number, length: number, header: number): boolean {
  let local = false;
  for (;;) {
    const kind = takeError(row, mayFragment(row));
    if (kind === NO_ERROR) return local;
    if (kind === LOCAL_ERROR) {
      local = true;
      tell(row, at, length, header + length);
    } else tell(row, SPLIT, errorReturned, rows[row + SENT_LENGTH]!);
  }
}

/** Takes the error that somebody has sent about the flow's connect; false when there is none. What it says is in errorType and the like. */
export function takeRefusal(row: number): boolean {
  for (;;) {
    const kind = takeError(row, true);
    if (kind !== LOCAL_ERROR) return kind === SENT_ERROR;
  }
}
