/**
 * The worker's whole native vocabulary. One function per system call, or per system call repeated over a batch.
 * Integers in, ≥ 0 or −errno out. Every (offset, length) is checked against the arena in C; a range outside it is −EFAULT.
 * Native code never looks at a byte it moves, but for the checksum.
 */
export interface Native {
  /** Binds the arena; every offset below is relative to it. Once. */
  bindArena(arena: ArrayBuffer): number;
  /** Maps a memfd shared. Before sealing. Throws on failure. */
  mapShared(fd: number, length: number): ArrayBuffer;
  /** Makes the process not dumpable and installs a seccomp filter (struct sock_filter[length / 8]) on all threads. */
  seal(offset: number, length: number): number;
  /** Stores CLOCK_MONOTONIC: int32 milliseconds at `offset`, int32 microseconds at `offset + 4`, both wrapping. */
  clock(offset: number): number;
  /** Stores CLOCK_REALTIME: int32 seconds (wrapping in 2106, unsigned) at `offset`, int32 microseconds at `offset + 4`. */
  wallClock(offset: number): number;

  /** epoll_create1(EPOLL_CLOEXEC). */
  epollCreate(): number;
  /** epoll_ctl; operation 1 add, 2 delete, 3 modify; `data` and `generation` come back as the event's two int32. */
  epollControl(epoll: number, operation: number, fd: number, events: number, data: number, generation: number): number;
  /** epoll_wait; each event as three int32 (events, data, generation) from `offset`; at most 256. */
  epollWait(epoll: number, offset: number, maxEvents: number, timeoutMs: number): number;

  read(fd: number, offset: number, length: number): number;
  write(fd: number, offset: number, length: number): number;
  /** Reads up to `count` packets of a tap into slots of `slot` bytes from `offset`; their lengths as int32 from `lengths`. Stops at the first error and once there are `enough` bytes; returns packets read, or −errno if none. */
  readPackets(fd: number, offset: number, slot: number, lengths: number, count: number, enough: number): number;
  /** sendto(…, NULL, 0) with flags | MSG_NOSIGNAL | MSG_DONTWAIT. */
  send(fd: number, offset: number, length: number, flags: number): number;
  /** recvfrom(…, NULL, NULL) with flags | MSG_DONTWAIT. */
  receive(fd: number, offset: number, length: number, flags: number): number;
  /** recv(fd, NULL, length, MSG_TRUNC | MSG_DONTWAIT): drops acknowledged bytes of a TCP socket. */
  discard(fd: number, length: number): number;
  /** Peeks `length` bytes behind the first `skip` ones, where SO_PEEK_OFF is missing. */
  peekBehind(fd: number, skip: number, offset: number, length: number): number;
  /** One datagram with SCM_RIGHTS in: bytes at `offset`; at `fds` int32 count, then the descriptors (CLOEXEC). Fewer than were sent when there is no room for more below RLIMIT_NOFILE: the first of them. −EMSGSIZE when the data were truncated or `maxFds` is less (descriptors closed). */
  receiveWithDescriptors(fd: number, offset: number, length: number, fds: number, maxFds: number): number;
  /** One GRO datagram of a UDP socket: bytes at `offset`; at `facts` int32 segment size (0 = single), then int32 TOS or traffic class. */
  receiveSegments(fd: number, offset: number, length: number, facts: number): number;
  /**
   * As receiveSegments, up to `count` (1…32) of them by one call, while there are any: bytes, `length` at most, in slots of `slot` bytes from `offset`;
   * of each at `facts` int32 length, segment size, TOS or traffic class. How many, or −errno if none.
   */
  receiveBatch(fd: number, offset: number, slot: number, length: number, count: number, facts: number): number;
  /** One datagram of a socket that is connected to nobody: bytes at `offset`; at `source` 16 bytes of its sender's address (v4-mapped), then its port as int32. */
  receiveFrom(fd: number, offset: number, length: number, source: number): number;
  /** accept4(SOCK_NONBLOCK | SOCK_CLOEXEC): the new descriptor; at `peer` 16 bytes of the peer's address (v4-mapped), then its port as int32. */
  accept(fd: number, peer: number): number;
  /** getsockname: at `name` 16 bytes of the local address (v4-mapped), then its port as int32. */
  localName(fd: number, name: number): number;
  /**
   * As receiveSegments, of a socket that is connected to nobody; at `facts` 16 bytes of the sender's address, int32 port, 16 bytes of the
   * address asked, int32 interface it came by, int32 segment size (0 = single), int32 TOS or traffic class.
   */
  receiveAddressed(fd: number, offset: number, length: number, facts: number): number;
  /** One message of a ping socket: bytes at `offset`; int32 hop limit it came with (0 = not told) at `hopLimit`. */
  receiveDistant(fd: number, offset: number, length: number, hopLimit: number): number;
  /** recvmsg(MSG_ERRQUEUE): payload at `offset`; at `record` int32 errno, origin, type, code, info, then 16 bytes offender (v4-mapped), int32 hop limit of the error (0 = not told). */
  receiveError(fd: number, offset: number, length: number, record: number): number;

  /** pipe2(O_NONBLOCK | O_CLOEXEC) of `size` bytes, or fewer where the kernel grants no more: the size it has; at `ends` int32 reading and writing end. Before sealing. */
  makePipe(size: number, ends: number): number;
  /** splice of up to `length` bytes with SPLICE_F_MOVE | SPLICE_F_NONBLOCK; one of the two is a pipe. 0 is the end of the stream. */
  splice(from: number, to: number, length: number): number;

  /** getsockopt of an int; the value, or −errno. */
  getOption(fd: number, level: number, name: number): number;
  setOption(fd: number, level: number, name: number, value: number): number;
  /** getsockopt of a structure (TCP_INFO, SO_MEMINFO): bytes written at `offset`. */
  getOptionBytes(fd: number, level: number, name: number, offset: number, length: number): number;
  /** SO_LINGER on with time 0: close() will send a reset. */
  setAbortive(fd: number): number;
  shutdown(fd: number, how: number): number;
  close(fd: number): number;

  /** RFC 1071 sum (not complemented, folded to 16 bits) over the range, added to `seed`. */
  checksum(offset: number, length: number, seed: number): number;
}
