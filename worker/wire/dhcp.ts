/**
 * DHCP messages (RFC 2131 §2): those of BOOTP (RFC 951 §3), with options behind a cookie.
 *
 *     |  op (1)  |  htype  |  hlen  |  hops  |  xid (4)  |  secs (2)  |  flags (2)  |
 *     |  ciaddr (4)  |  yiaddr (4)  |  siaddr (4)  |  giaddr (4)  |  chaddr (16)  |
 *     |  sname (64)  |  file (128)  |  cookie (4)  |  options …  |
 */
import { bytes, view } from './memory.ts';

/** Ports. */
export const DHCP_SERVER = 67;
export const DHCP_CLIENT = 68;

/** Bytes before the options. */
export const DHCP_HEADER = 240;
/** Bytes of a BOOTP message, which are the fewest of a reply, as some clients drop shorter ones (RFC 1542 §2.1). */
export const BOOTP_MESSAGE = 300;
/** Bytes of the IP packet that every client takes (RFC 2131 §2). */
export const LEAST_PACKET = 576;

const HARDWARE_TYPE = 1;
const HARDWARE_LENGTH = 2;
const XID = 4;
const FLAGS = 10;
const CLIENT_ADDRESS = 12;
const YOUR_ADDRESS = 16;
const RELAY_ADDRESS = 24;
const HARDWARE_ADDRESS = 28;
const SNAME = 44;
const FILE = 108;
const COOKIE = 236;

const BOOTREQUEST = 1;
const BOOTREPLY = 2;
const MAGIC = 0x63825363;
const HARDWARE_ADDRESS_BYTES = 16;
const ETHERNET = 1;
const ETHERNET_ADDRESS_BYTES = 6;
const BROADCAST = 0x8000;

/** Areas of options, as offsets: beside their own, two fields can be used for them (RFC 2131 §4.1). */
export const FILE_AREA = FILE;
export const FILE_AREA_END = COOKIE;
export const SNAME_AREA = SNAME;
export const SNAME_AREA_END = FILE;

/** Whether the `length` bytes at `at` are a client's message: long enough for all fields, with the cookie, which BOOTP clients have too (RFC 2132 §2). */
export function isRequest(at: number, length: number): boolean {
  return (
    length >= DHCP_HEADER &&
    view.getUint8(at) === BOOTREQUEST &&
    view.getUint8(at + HARDWARE_LENGTH) <= HARDWARE_ADDRESS_BYTES &&
    view.getInt32(at + COOKIE) === MAGIC
  );
}

/** Whether the client can't take a unicast yet (RFC 2131 §4.1). */
export function wantsBroadcast(at: number): boolean {
  return (view.getUint16(at + FLAGS) & BROADCAST) !== 0;
}

/** The address that the client has, int32; 0 = none. */
export function clientAddress(at: number): number {
  return view.getInt32(at + CLIENT_ADDRESS);
}

/** The relay that the message came through, int32; 0 = none. */
export function relayAddress(at: number): number {
  return view.getInt32(at + RELAY_ADDRESS);
}

/** Whether the client has a MAC address. */
export function hasMac(at: number): boolean {
  return view.getUint8(at + HARDWARE_TYPE) === ETHERNET && view.getUint8(at + HARDWARE_LENGTH) === ETHERNET_ADDRESS_BYTES;
}

/** Offset of that. */
export function clientMac(at: number): number {
  return at + HARDWARE_ADDRESS;
}

/**
 * Writes the fields of the reply at `at` to the request at `request`, and zeros up to the size of a BOOTP message. Addresses are int32:
 * the one that the client has, and the one it is given.
 */
export function writeReply(at: number, request: number, ciaddr: number, yiaddr: number): void {
  bytes.fill(0, at, at + BOOTP_MESSAGE);
  view.setInt32(at, view.getInt32(request));
  view.setUint8(at, BOOTREPLY);
  view.setUint8(at + 3, 0);
  view.setInt32(at + XID, view.getInt32(request + XID));
  view.setInt16(at + FLAGS, view.getInt16(request + FLAGS));
  view.setInt32(at + CLIENT_ADDRESS, ciaddr);
  view.setInt32(at + YOUR_ADDRESS, yiaddr);
  bytes.copyWithin(at + HARDWARE_ADDRESS, request + HARDWARE_ADDRESS, request + SNAME);
  view.setInt32(at + COOKIE, MAGIC);
}
