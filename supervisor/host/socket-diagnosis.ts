/**
 * Which ports somebody listens on in a network namespace, by sock_diag(7).
 *
 * The kernel is asked for one family and protocol at a time, and for the states that matter alone, so what it answers is as long as there
 * are services, not connections. A socket tells of the namespace that it was made in, whoever holds it, and needs no privilege.
 */
import type { NetlinkDialogue } from './netlink.ts';
import { NetlinkError } from './netlink.ts';

/** The protocol of the netlink socket that the questions are asked on (linux/netlink.h). */
export const NETLINK_SOCK_DIAG = 4;

/** SOCK_DIAG_BY_FAMILY, question and answer. */
const BY_FAMILY = 20;

const Protocol = { tcp: 6, udp: 17 } as const;
/** State of a TCP socket that listens, and of a UDP socket that is connected to nobody (net/tcp_states.h). */
const State = { tcp: 10, udp: 7 } as const;
const Family = { 4: 2, 6: 10 } as const;

/** struct inet_diag_req_v2 (linux/inet_diag.h). */
const REQUEST = { FAMILY: 0, PROTOCOL: 1, STATES: 4, LENGTH: 56 } as const;
/** struct inet_diag_msg; the port is in network order. */
const SOCKET = { STATE: 1, PORT: 4, INODE: 68, LENGTH: 72 } as const;

const ENOENT = 2;

function question(protocol: 'tcp' | 'udp', family: 4 | 6): Uint8Array {
  const request = new Uint8Array(REQUEST.LENGTH);
  request[REQUEST.FAMILY] = Family[family];
  request[REQUEST.PROTOCOL] = Protocol[protocol];
  new DataView(request.buffer).setUint32(REQUEST.STATES, 1 << State[protocol], true);
  return request;
}

const QUESTIONS = {
  tcp: { 4: question('tcp', 4), 6: question('tcp', 6) },
  udp: { 4: question('udp', 4), 6: question('udp', 6) },
} as const;

/**
 * Calls `found` with each port of `protocol` that is listened on, at whatever address and in either family, and the inode of the socket, as
 * fstat(2) of its descriptor gives it. `dialogue` is on a socket of NETLINK_SOCK_DIAG.
 * @throws NetlinkError when the kernel can't tell; ENOENT: it has no tcp_diag or udp_diag.
 */
export function hear(dialogue: Pick<NetlinkDialogue, 'walk'>, protocol: 'tcp' | 'udp', found: (port: number, inode: number) => void): void {
  const take = (view: DataView, from: number, to: number): void => {
    if (to - from < SOCKET.LENGTH) throw new NetlinkError(0, `socket description of ${to - from} bytes`);
    const port = view.getUint16(from + SOCKET.PORT, false);
    // A UDP socket that is bound to nothing has port 0.
    if (view.getUint8(from + SOCKET.STATE) === State[protocol] && port !== 0) found(port, view.getUint32(from + SOCKET.INODE, true));
  };
  dialogue.walk(BY_FAMILY, QUESTIONS[protocol][4], take);
  try {
    dialogue.walk(BY_FAMILY, QUESTIONS[protocol][6], take);
  } catch (error) {
    // A kernel that is built without IPv6.
    if (!(error instanceof NetlinkError) || error.errno !== ENOENT) throw error;
  }
}
