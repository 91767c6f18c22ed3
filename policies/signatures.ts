/**
 * Names and widths of the arguments of each system call whose arguments a policy may look at.
 * The width is the one of the kernel's own definition: of an `int` the kernel sees 32 bits, whatever the upper half of the
 * register holds, so that is what must be compared; a `long` (pointer, size, unsigned long) is compared whole.
 */

/** One argument: its place among the six, and its width in bits. */
export interface Argument {
  readonly index: number;
  readonly width: 32 | 64;
}

const TEXT: Readonly<Record<string, string>> = {
  accept4: 'fd:int address:long length:long flags:int',
  clone: 'flags:long',
  futex: 'uaddr:long op:int',
  getsockopt: 'fd:int level:int optname:int',
  ioctl: 'fd:int cmd:int arg:long',
  madvise: 'addr:long length:long advice:int',
  mmap: 'addr:long length:long prot:long flags:long fd:long offset:long',
  mprotect: 'addr:long length:long prot:long',
  mremap: 'addr:long old_length:long new_length:long flags:long new_addr:long',
  newfstatat: 'dirfd:int path:long buffer:long flags:int',
  personality: 'persona:int',
  sendmsg: 'fd:int message:long flags:int',
  sendto: 'fd:int buffer:long length:long flags:int addr:long addr_length:int',
  setsockopt: 'fd:int level:int optname:int',
  shutdown: 'fd:int how:int',
  socket: 'domain:int type:int protocol:int',
  recvmmsg: 'fd:int vec:long vlen:int flags:int timeout:long',
  splice: 'fd_in:int off_in:long fd_out:int off_out:long length:long flags:int',
};

/** The argument called `name` of the system call `call`, or undefined when the table doesn't know it. */
export function argumentOf(call: string, name: string): Argument | undefined {
  const fields = (TEXT[call] ?? '').split(' ');
  const index = fields.findIndex((field) => field.startsWith(`${name}:`));
  return index < 0 ? undefined : { index, width: fields[index] === `${name}:int` ? 32 : 64 };
}

/** Names of the arguments known for `call`, for messages. */
export function argumentNames(call: string): readonly string[] {
  return (TEXT[call] ?? '')
    .split(' ')
    .filter((field) => field !== '')
    .map((field) => field.slice(0, field.indexOf(':')));
}
