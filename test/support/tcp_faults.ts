/** Which kernel calls of a connection may fail, and by which errno (tcp(7), socket(7), epoll_ctl(2), recv(2), send(2)). */
import * as errno from './fake_file.ts';
import type { FakeKernel, FaultyCall } from './fake_kernel.ts';

const DEAD = [errno.ECONNRESET, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EPIPE];
const SHORT = [errno.ENOMEM, errno.ENOBUFS];
const WRONG = [errno.EINVAL, errno.EBADF, errno.EFAULT, errno.ENOTSOCK, errno.ENOTCONN, errno.EACCES, errno.EPERM, errno.EINTR, errno.EIO];

/**
 * An EAGAIN is not among them: a kernel that says so promises an event, and fake_stream.ts makes both. Nor is SO_LINGER, which fails for
 * no open socket, and without which nobody could be told of a reset.
 */
// The order is what kept schedules go by: new calls go to the end.
export const FAULTS: Readonly<Record<FaultyCall, readonly number[]>> = {
  send: [...DEAD, ...SHORT, ...WRONG],
  receive: [...DEAD, ...SHORT, ...WRONG],
  peekBehind: [...DEAD, ...SHORT, ...WRONG],
  discard: [...DEAD, ...SHORT, ...WRONG],
  setOption: [...SHORT, ...WRONG, errno.EOPNOTSUPP, errno.ENOPROTOOPT],
  getOption: [...SHORT, ...WRONG, errno.ENOPROTOOPT],
  getOptionBytes: [...SHORT, ...WRONG, errno.ENOPROTOOPT],
  shutdown: [...SHORT, ...WRONG],
  epollControl: [...SHORT, ...WRONG, errno.ENOSPC, errno.ENOENT, errno.EEXIST],
};

const CALLS = Object.keys(FAULTS) as FaultyCall[];

/** Every fault as one number, which a schedule can hold: errno × 16 + place of the call above. */
export const FAULT_NUMBERS: readonly number[] = CALLS.flatMap((call, place) => FAULTS[call].map((number) => number * 16 + place));

/** The next call fails that `fault`, one of FAULT_NUMBERS, is about. */
export function injectFault(kernel: FakeKernel, fault: number): void {
  const call = CALLS[fault % 16];
  if (call === undefined) throw new Error(`${fault} is no fault`);
  kernel.failNext(call, fault >> 4);
}
