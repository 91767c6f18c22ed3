/**
 * Lists the flows for who asks the supervisor, a page at a time. Not on any packet's way: it reads the table and asks the sockets.
 *
 * A page is bounded in flows and in rows looked through, so that traffic waits some hundred microseconds at most; the flows of two pages
 * need not have existed at the same moment. Connections are counted by the kernel; nothing is counted here.
 */
import type { ravioli } from '../shared/channel.gen.js';
import { FlowState } from '../shared/flow-state.ts';
import { FLOWS_PER_PAGE, ROWS_PER_PAGE } from '../shared/limits.ts';
import {
  FAR,
  FD,
  FLAGS,
  FREE,
  GUEST,
  KIND,
  PING,
  PORTS,
  PROTOCOL,
  REPLIES,
  ROW,
  rows,
  SPLICE,
  SPLICED_DATAGRAMS,
  TCP,
} from './flow/row.ts';
import { ageOf, rowsInUse } from './flow/table.ts';
import { COMER, SOCKET_FACTS, SOCKET_FACTS_SIZE } from './link/arena.ts';
import { kernel } from './link/kernel.ts';
import * as splice from './splice/row.ts';
import * as tcp from './tcp/row.ts';
import { bytes, view } from './wire/memory.ts';

const IPPROTO_TCP = 6;
const TCP_INFO = 11;
/** Of struct tcp_info: tcpi_bytes_acked and tcpi_bytes_received, 64 bits each. */
const BYTES_ACKED = 120;
const BYTES_RECEIVED = 128;
/** Set in FLAGS of a flow of datagrams or echo requests that was answered: udp/row.ts, splice/datagram_row.ts, icmp/ping.ts. */
const ANSWERED = 1;

type Flow = ravioli.Flow.$Properties;
type End = { readonly address: Uint8Array; readonly port: number };

/** The flows in row `first` and behind it, as far as a page goes, and where the next one begins. */
export function listFlows(first: number): ravioli.Flows.$Properties {
  const flows: Flow[] = [];
  const end = Math.min(rowsInUse(), first + ROWS_PER_PAGE);
  let flow = first;
  for (; flow < end && flows.length < FLOWS_PER_PAGE; flow++) {
    const row = flow * ROW;
    const kind = rows[row + KIND]!;
    if (kind === SPLICE || kind === SPLICED_DATAGRAMS) {
      if (rows[row + splice.LEADER] === flow) flows.push(splicedFlow(flow, kind));
    } else if (kind !== FREE) flows.push(framedFlow(flow, kind));
  }
  return { next: flow < rowsInUse() ? flow : 0, flows };
}

function framedFlow(flow: number, kind: number): Flow {
  const row = flow * ROW;
  const ports = rows[row + PORTS]!;
  const host = nameOf(rows[row + FD]!);
  const moved = kind === TCP ? movedBy(rows[row + FD]!) : NOTHING;
  return {
    protocol: rows[row + PROTOCOL]!,
    state: kind === TCP ? stateOf(rows[row + FLAGS]!) : kind === REPLIES ? FlowState.HEARING : answered(row),
    spliced: false,
    guest: addressAt(row + GUEST),
    guestPort: ports >>> 16,
    far: addressAt(row + FAR),
    farPort: kind === PING ? 0 : ports & 0xffff,
    host: host.address,
    hostPort: host.port,
    age: ageOf(flow),
    fromGuest: moved.sent,
    toGuest: moved.received,
  };
}

function splicedFlow(flow: number, kind: number): Flow {
  const row = flow * ROW;
  const peer = rows[row + splice.PEER]! * ROW;
  const isTcp = kind === SPLICE;
  const [host, guest] = rows[row + splice.SIDE] === splice.HOST_SIDE ? [row, peer] : [peer, row];
  const ends = { guest: nameOf(rows[guest + FD]!), host: nameOf(rows[host + FD]!) };
  // Seen from the guest's namespace, where we are the far end.
  const moved = isTcp ? movedBy(rows[guest + FD]!) : NOTHING;
  return {
    protocol: rows[row + PROTOCOL]! & 0xff,
    state: isTcp ? splicedState(row, peer) : answered(row),
    spliced: true,
    guest: ends.guest.address,
    guestPort: ends.guest.port,
    far: isTcp ? addressAt(row + FAR) : new Uint8Array(0),
    farPort: isTcp ? rows[row + PORTS]! & 0xffff : 0,
    host: ends.host.address,
    hostPort: ends.host.port,
    age: ageOf(flow),
    fromGuest: moved.received,
    toGuest: moved.sent,
  };
}

/** RFC 9293 §3.3.2: the state of our end towards the guest. */
function stateOf(flags: number): FlowState {
  if (flags & tcp.TIME_WAIT) return FlowState.TIME_WAIT;
  if (flags & tcp.CONNECTING) return FlowState.CONNECTING;
  if (flags & tcp.SYN_SENT) return FlowState.SYN_SENT;
  if (flags & tcp.SYN_RECEIVED) return FlowState.SYN_RECEIVED;
  const guestHasEnded = (flags & tcp.GUEST_FIN) !== 0;
  if (!(flags & tcp.FIN_SENT)) return guestHasEnded ? FlowState.CLOSE_WAIT : FlowState.ESTABLISHED;
  if (!guestHasEnded) return flags & tcp.FIN_ACKED ? FlowState.FIN_WAIT_2 : FlowState.FIN_WAIT_1;
  return flags & tcp.CLOSED_FIRST ? FlowState.CLOSING : FlowState.LAST_ACK;
}

/** Of two sockets: what the one that accepted has ended, or the other, is half of the whole. */
function splicedState(row: number, peer: number): FlowState {
  if (rows[row + FLAGS]! & splice.CONNECTING) return FlowState.CONNECTING;
  const [ended, peerEnded] = [rows[row + FLAGS]! & splice.ENDED, rows[peer + FLAGS]! & splice.ENDED];
  if (ended && peerEnded) return FlowState.CLOSING;
  return ended || peerEnded ? FlowState.CLOSE_WAIT : FlowState.ESTABLISHED;
}

function answered(row: number): FlowState {
  return rows[row + FLAGS]! & ANSWERED ? FlowState.ANSWERED : FlowState.UNANSWERED;
}

function addressAt(at: number): Uint8Array {
  const address = new DataView(new ArrayBuffer(16));
  for (let word = 0; word < 4; word++) address.setInt32(4 * word, rows[at + word]!);
  return new Uint8Array(address.buffer);
}

/** The local address and port of a socket, nothing while there is none. */
function nameOf(fd: number): End {
  if (fd < 0 || kernel.localName(fd, COMER) < 0) return { address: new Uint8Array(0), port: 0 };
  return { address: bytes.slice(COMER, COMER + 16), port: view.getInt32(COMER + 16, true) };
}

const NOTHING = { sent: 0, received: 0 } as const;

/** Bytes that the other end of a TCP socket has acknowledged, and that it has sent. */
function movedBy(fd: number): { readonly sent: number; readonly received: number } {
  if (fd < 0) return NOTHING;
  const length = kernel.getOptionBytes(fd, IPPROTO_TCP, TCP_INFO, SOCKET_FACTS, SOCKET_FACTS_SIZE);
  if (length < BYTES_RECEIVED + 8) return NOTHING;
  return {
    sent: Number(view.getBigUint64(SOCKET_FACTS + BYTES_ACKED, true)),
    received: Number(view.getBigUint64(SOCKET_FACTS + BYTES_RECEIVED, true)),
  };
}
