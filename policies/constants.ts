/**
 * Every symbol a policy may use, with its number in the kernel's interface. All of them are the same on x86-64 and arm64;
 * `test/policies/constants.test.ts` compares each with the system's headers.
 */
// biome-ignore format: families of constants are read as lines
export const CONSTANTS: Readonly<Record<string, bigint>> = {
  // errno
  EPERM: 1n, ENOENT: 2n, EBADF: 9n, ENOTTY: 25n, ENOSYS: 38n, EAFNOSUPPORT: 97n,
  // mmap, mprotect
  PROT_READ: 1n, PROT_WRITE: 2n, PROT_EXEC: 4n, MAP_PRIVATE: 2n, MAP_FIXED: 0x10n, MAP_ANONYMOUS: 0x20n, MAP_NORESERVE: 0x4000n,
  // madvise
  MADV_DONTNEED: 4n, MADV_FREE: 8n, MADV_DONTFORK: 10n,
  // mremap
  MREMAP_MAYMOVE: 1n,
  // futex
  FUTEX_WAIT: 0n, FUTEX_WAKE: 1n, FUTEX_WAIT_BITSET: 9n, FUTEX_PRIVATE_FLAG: 128n, FUTEX_CLOCK_REALTIME: 256n,
  // clone
  CLONE_NEWNS: 0x20000n, CLONE_NEWCGROUP: 0x2000000n, CLONE_NEWUTS: 0x4000000n, CLONE_NEWIPC: 0x8000000n, CLONE_NEWUSER: 0x10000000n,
  CLONE_NEWPID: 0x20000000n, CLONE_NEWNET: 0x40000000n,
  // personality
  PER_LINUX: 0n, PERSONALITY_QUERY: 0xffffffffn,
  // socket
  AF_UNIX: 1n, AF_INET: 2n, AF_NETLINK: 16n, AF_INET6: 10n, SOCK_STREAM: 1n, SOCK_DGRAM: 2n, SOCK_NONBLOCK: 0x800n,
  SOCK_CLOEXEC: 0x80000n, IPPROTO_IP: 0n, IPPROTO_ICMP: 1n, IPPROTO_TCP: 6n, IPPROTO_IPV6: 41n, IPPROTO_ICMPV6: 58n, SHUT_WR: 1n,
  // send and receive flags
  MSG_DONTWAIT: 0x40n, MSG_NOSIGNAL: 0x4000n,
  // socket options
  SOL_SOCKET: 1n, SO_REUSEADDR: 2n, SO_ERROR: 4n, SO_BROADCAST: 6n, SO_SNDBUF: 7n, SO_RCVBUF: 8n, SO_KEEPALIVE: 9n, SO_OOBINLINE: 10n,
  SO_LINGER: 13n, SO_PEEK_OFF: 42n, SO_MEMINFO: 55n,
  IP_TTL: 2n, IP_RECVERR: 11n, IP_BIND_ADDRESS_NO_PORT: 24n, IPV6_UNICAST_HOPS: 16n, IPV6_RECVERR: 25n, IPV6_V6ONLY: 26n,
  IP_MULTICAST_IF: 32n, IP_MULTICAST_TTL: 33n, IP_UNICAST_IF: 50n, IPV6_MULTICAST_IF: 17n, IPV6_MULTICAST_HOPS: 18n,
  TCP_NODELAY: 1n, TCP_MAXSEG: 2n, TCP_KEEPIDLE: 4n, SOL_UDP: 17n, UDP_SEGMENT: 103n, UDP_GRO: 104n,
  // paths, ioctl
  TCGETS: 0x5401n, TIOCSTI: 0x5412n, TIOCLINUX: 0x541cn, AT_EMPTY_PATH: 0x1000n,
};
