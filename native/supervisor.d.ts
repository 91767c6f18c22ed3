/**
 * The supervisor's native vocabulary: what Node.js itself does not offer. ≥ 0 or −errno, unless said otherwise.
 */
export interface Native {
  /** AF_UNIX SOCK_SEQPACKET pair, both CLOEXEC and non-blocking; [ours, theirs]. Throws. */
  socketPair(): [number, number];
  /** One datagram with descriptors. */
  sendWithDescriptors(socket: number, bytes: Uint8Array, fds: readonly number[]): number;
  /** One datagram: the bytes and descriptors (CLOEXEC), null at end of file, or −errno (−EAGAIN: nothing there; −EMSGSIZE: truncated, descriptors closed). */
  receiveWithDescriptors(socket: number, maxBytes: number): { bytes: Uint8Array; fds: number[] } | null | number;
  /** Calls back whenever `fd` is readable, at end of file or in error, until `stop()`. */
  watch(fd: number, readable: () => void): { stop(): void };
  close(fd: number): number;
  /** memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), ftruncate to `length`, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL. */
  memfd(name: string, length: number): number;
  /** pidfd_open. Readable when the process has ended. */
  pidfd(pid: number): number;
  /**
   * posix_spawn: `path` (no search) with `argv` and `environment` ("NAME=value"), all signals unblocked and at their defaults;
   * descriptors[i] becomes descriptor i of the child, and nothing else is open there. Its pid, or −errno.
   * Every string holds one byte per character (latin1), since names and environments need not be UTF-8.
   */
  spawn(path: string, argv: readonly string[], environment: readonly string[], descriptors: readonly number[]): number;
  /** Clears O_NONBLOCK, for an end of a socket pair whose owner waits in read(2). */
  setBlocking(fd: number): number;
  /** Reaps a child that libuv doesn't know: null while it runs, else its code or signal. */
  reap(pid: number): { code: number; signal: number } | null | number;
  kill(pid: number, signal: number): number;
  /** Raises RLIMIT_NOFILE soft to hard; returns it. */
  raiseDescriptorLimit(): number;
  /** 1 when SO_PEEK_OFF works for TCP in this family (4 or 6), else 0. */
  probePeekOffset(family: number): number;
  /** socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol) in our own namespace. */
  netlinkSocket(protocol: number): number;
  /** send / recv on a netlink socket; recv gives null on −EAGAIN. */
  send(fd: number, bytes: Uint8Array): number;
  receive(fd: number, maxBytes: number): Uint8Array | null | number;
  /** poll(fd, POLLIN, timeoutMs): for the short netlink dialogues of start-up, where waiting on the loop would cost more than the answer.
   *  Signals do not end it. */
  waitReadable(fd: number, timeoutMs: number): number;
  /** The same with POLLOUT. */
  waitWritable(fd: number, timeoutMs: number): number;
  /** getsockopt and setsockopt of an int. */
  socketOption(fd: number, level: number, name: number): number;
  setSocketOption(fd: number, level: number, name: number, value: number): number;
  /** getsockname: struct sockaddr of any family. */
  socketName(fd: number): Uint8Array | number;
  /** SO_BINDTODEVICE: the name of the interface that the socket is bound to, '' for none. */
  socketInterface(fd: number): string | number;
  /** Sets O_NONBLOCK. */
  setNonBlocking(fd: number): number;
  /** PR_SET_DUMPABLE 0, PR_SET_NAME. */
  harden(name: string): number;
  /**
   * /dev/null becomes 0, 1 and 2, / the working folder, PR_SET_PDEATHSIG 0; then one byte 0 is written to `ready`, which is closed.
   * −EPIPE: nobody waits for it.
   */
  detach(ready: number): number;
  /** _exit: the runtime's own end would take 3 ms. What was written by writeSync has been written. */
  leave(code: number): never;
  /** malloc_trim: gives unused memory back to the kernel. */
  trim(): number;
  /** tcgetattr: struct termios. */
  terminalModes(fd: number): Uint8Array | number;
  /** tcsetattr(TCSANOW) of what `terminalModes` gave. */
  setTerminalModes(fd: number, modes: Uint8Array): number;
  /** The same after cfmakeraw. */
  setTerminalRaw(fd: number, modes: Uint8Array): number;
  /** TIOCGWINSZ: columns << 16 | rows. */
  terminalSize(fd: number): number;
  /**
   * A listening AF_UNIX stream socket (CLOEXEC, non-blocking) at a path of 1 to 107 bytes that does not exist yet; the file is made with
   * mode 0600 less the umask.
   */
  localListen(path: string): number;
  /** A client of such a socket: its descriptor (CLOEXEC, non-blocking) and SO_PEERCRED; −EAGAIN: none waits. `pid` is 0 when it isn't ours to see. */
  localAccept(listener: number): { fd: number; pid: number; uid: number } | number;
  /** 1 when the other end of a stream socket is closed, or sends no more, whatever is still to be read; else 0. */
  hungUp(fd: number): number;
  /** connect(2) to such a socket, without waiting; −ECONNREFUSED: nobody listens, −EAGAIN: somebody does and is busy. */
  localConnect(path: string): number;
  /** A datagram socket (CLOEXEC, non-blocking) that is connected to such a path, or to the abstract name behind an '@'. */
  localDatagram(path: string): number;
  /** TUNSETPERSIST: the device outlives its last descriptor, until its namespace ends. */
  keepTap(fd: number): number;
  /** TUNGETIFF: IFF_* of the tun device behind a descriptor, 0 to 65535; −ENOTTY: it is none, −EBADFD: nothing is attached. */
  tapFlags(fd: number): number;
}
