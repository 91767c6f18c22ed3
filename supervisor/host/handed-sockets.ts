/**
 * Sockets that whoever started us has bound and hands in: by systemd's protocol (sd_listen_fds(3)), or by number.
 *
 * They need no privilege of ours for a low port, an interface or an address that is yet to come, and they queue what comes while we start.
 * What each of them is, is asked of the kernel; one that can't be listened on is refused.
 */
import { readFileSync } from 'node:fs';
import type { Native } from '../../native/supervisor.d.ts';
import { UsageError } from '../usage-error.ts';

/** A descriptor that was handed in, and its name there; null = none. */
export interface HandedDescriptor {
  readonly descriptor: number;
  readonly name: string | null;
}

/** One that can be listened on. */
export interface HandedSocket extends HandedDescriptor {
  readonly protocol: 'tcp' | 'udp';
  /** 16 bytes; null = any address of both families. */
  readonly address: Uint8Array | null;
  readonly port: number;
  /** The interface that it is bound to; null = none. */
  readonly interfaceName: string | null;
  /** Its index; 0 = none. */
  readonly link: number;
}

/** SD_LISTEN_FDS_START. */
const FIRST = 3;
/** Where /proc does not say. */
const FIRST_UNPRIVILEGED = 1024;
/** What systemd calls those that have no name. */
const NAMELESS = 'unknown';

const SOL_SOCKET = 1;
const SO = {
  REUSEADDR: 2,
  TYPE: 3,
  RCVBUF: 8,
  OOBINLINE: 10,
  PEERNAME: 28,
  ACCEPTCONN: 30,
  PROTOCOL: 38,
  DOMAIN: 39,
  BINDTOIFINDEX: 62,
} as const;
const IP = { LEVEL: 0, PKTINFO: 8, RECVERR: 11, RECVTOS: 13 } as const;
const IPV6 = { LEVEL: 41, RECVERR: 25, V6ONLY: 26, RECVPKTINFO: 49, RECVTCLASS: 66 } as const;
const TCP = { LEVEL: 6, NODELAY: 1 } as const;
const UDP = { LEVEL: 17, GRO: 104 } as const;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const ENOTCONN = -107;
/** As an opener's (native/opener/listener.c). */
const UDP_BUFFER = 4 << 20;

/** Variables of the protocol; none of them is for the command, whose descriptors end with 2. */
export const LISTEN_VARIABLES = ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID'] as const;

/**
 * The descriptors that the environment names for this process.
 * @throws UsageError when the variables contradict each other
 */
export function handedDescriptors(environment: Readonly<Record<string, string | undefined>>, pid: number): HandedDescriptor[] {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = environment;
  // Otherwise they are an ancestor's, who did not mean us.
  if (LISTEN_PID !== String(pid) || LISTEN_FDS === undefined) return [];
  const count = /^\d{1,5}$/.test(LISTEN_FDS) ? Number(LISTEN_FDS) : 0;
  if (count === 0) throw new UsageError(`LISTEN_FDS='${LISTEN_FDS}' is no number of sockets; see sd_listen_fds(3)`);
  const names = LISTEN_FDNAMES === undefined || LISTEN_FDNAMES === '' ? [] : LISTEN_FDNAMES.split(':');
  if (names.length !== 0 && names.length !== count)
    throw new UsageError(`LISTEN_FDNAMES='${LISTEN_FDNAMES}' has not as many names as there are sockets, ${count}; see sd_listen_fds(3)`);
  return Array.from({ length: count }, (_, at) => {
    const name = names[at] ?? '';
    return { descriptor: FIRST + at, name: name === '' || name === NAMELESS ? null : name };
  });
}

/** How messages call it. */
export function nameOf({ descriptor, name }: HandedDescriptor): string {
  return name === null ? `socket ${descriptor}` : `socket ${descriptor} ('${name}')`;
}

type Calls = Pick<Native, 'socketOption' | 'setSocketOption' | 'socketName' | 'socketInterface' | 'setNonBlocking'>;

/**
 * What the socket is.
 * @throws UsageError when nobody can come to it
 */
export function inspectSocket(calls: Calls, handed: HandedDescriptor): HandedSocket {
  const { descriptor } = handed;
  const option = (name: number): number => calls.socketOption(descriptor, SOL_SOCKET, name);
  const refuse = (why: string): UsageError =>
    new UsageError(`${nameOf(handed)} ${why}; hand in a TCP socket that listens or a UDP socket that is bound`);
  const domain = option(SO.DOMAIN);
  if (domain < 0) throw refuse('is no open socket');
  if (domain !== AF_INET && domain !== AF_INET6) throw refuse('is no socket of IPv4 or IPv6');
  const type = option(SO.TYPE);
  const protocol = type === SOCK_STREAM && option(SO.PROTOCOL) === TCP.LEVEL ? 'tcp' : 'udp';
  if (protocol === 'udp' && (type !== SOCK_DGRAM || option(SO.PROTOCOL) !== UDP.LEVEL)) throw refuse('is neither TCP nor UDP');
  // The first four bytes of its peer's address, which are family and port, else.
  if (protocol === 'udp' && option(SO.PEERNAME) !== ENOTCONN) throw refuse('is connected');
  if (protocol === 'tcp' && option(SO.ACCEPTCONN) !== 1) throw refuse('does not listen (a connection? then set Accept=no)');
  const { address, port } = endpointOf(calls.socketName(descriptor), domain);
  if (port === 0) throw refuse('is bound to no port');
  const bothFamilies = domain === AF_INET6 && isZero(address) && calls.socketOption(descriptor, IPV6.LEVEL, IPV6.V6ONLY) === 0;
  const device = calls.socketInterface(descriptor);
  const interfaceName = typeof device === 'number' || device === '' ? null : device;
  const link = interfaceName === null ? 0 : option(SO.BINDTOIFINDEX);
  return { ...handed, protocol, address: bothFamilies ? null : address, port, interfaceName, link };
}

/**
 * What comes to a UDP socket is answered from sockets of its flows, which need the same port.
 * @throws UsageError when only the socket itself can have that
 */
export function refusePrivileged(socket: HandedSocket, firstUnprivileged: number): void {
  const { protocol, port } = socket;
  if (protocol === 'tcp' || port >= firstUnprivileged) return;
  const cure = `run 'sysctl net.ipv4.ip_unprivileged_port_start=${port}' as root`;
  throw new UsageError(`${nameOf(socket)}: UDP port ${port} is answered from other sockets, which may not be bound to it; ${cure}`);
}

/** The first port that anybody may bind to. */
export function readFirstUnprivileged(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'latin1'));
  } catch {
    return FIRST_UNPRIVILEGED;
  }
}

/**
 * All sockets that were handed in: those of the environment, and those of which a number was given.
 * @throws UsageError about the first that can't be used
 */
export function collectSockets(
  calls: Calls,
  environment: Readonly<Record<string, string | undefined>>,
  pid: number,
  numbers: readonly number[],
): HandedSocket[] {
  const named = handedDescriptors(environment, pid);
  const others = numbers.filter((number) => !named.some(({ descriptor }) => descriptor === number));
  const handed = [...named, ...[...new Set(others)].map((descriptor) => ({ descriptor, name: null }))];
  return handed.map((one) => inspectSocket(calls, one));
}

/** From struct sockaddr_in or sockaddr_in6: the port in network order at 2, the address at 4 or 8. */
function endpointOf(name: Uint8Array | number, domain: number): { address: Uint8Array; port: number } {
  const address = new Uint8Array(16);
  if (typeof name === 'number') return { address, port: 0 };
  if (domain === AF_INET) {
    address.fill(0xff, 10, 12);
    address.set(name.subarray(4, 8), 12);
  } else address.set(name.subarray(8, 24));
  return { address, port: new DataView(name.buffer, name.byteOffset).getUint16(2, false) };
}

function isZero(address: Uint8Array): boolean {
  return address.every((byte) => byte === 0);
}

/** Sets it as an opener sets its own (native/opener/listener.c). What an old kernel lacks is left out, as there. */
export function prepareSocket(calls: Calls, { descriptor, protocol, address }: HandedSocket): void {
  const set = (level: number, name: number, value = 1): number => calls.setSocketOption(descriptor, level, name, value);
  calls.setNonBlocking(descriptor);
  if (protocol === 'tcp') {
    set(TCP.LEVEL, TCP.NODELAY);
    set(SOL_SOCKET, SO.OOBINLINE);
    return;
  }
  set(UDP.LEVEL, UDP.GRO);
  set(SOL_SOCKET, SO.RCVBUF, UDP_BUFFER);
  set(SOL_SOCKET, SO.REUSEADDR);
  const isIPv4 = calls.socketOption(descriptor, SOL_SOCKET, SO.DOMAIN) === AF_INET;
  if (!isIPv4) for (const name of [IPV6.RECVPKTINFO, IPV6.RECVERR, IPV6.RECVTCLASS]) set(IPV6.LEVEL, name);
  if (isIPv4 || address === null) for (const name of [IP.PKTINFO, IP.RECVERR, IP.RECVTOS]) set(IP.LEVEL, name);
}
