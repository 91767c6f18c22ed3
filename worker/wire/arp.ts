/**
 * ARP for IPv4 over Ethernet (RFC 826).
 */
import { ETHERTYPE_IPV4, copyMac } from './ethernet.ts';
import { view } from './memory.ts';
import { Verdict } from './verdict.ts';

/** Bytes of the packet. */
export const ARP_PACKET = 28;

const PROTOCOL_TYPE = 2;
const OPERATION = 6;
const SENDER_MAC = 8;
const SENDER_ADDRESS = 14;
const TARGET_MAC = 18;
const TARGET_ADDRESS = 24;

const HARDWARE_ETHERNET = 1;
/** Hardware address length 6, protocol address length 4. */
const LENGTHS = 0x0604;

export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

export function operation(at: number): number {
  return view.getUint16(at + OPERATION);
}

/** Offset of the sender's MAC. */
export function senderMac(at: number): number {
  return at + SENDER_MAC;
}

/** Sender's IPv4 address, int32. */
export function senderAddress(at: number): number {
  return view.getInt32(at + SENDER_ADDRESS);
}

/** Target's IPv4 address, int32. */
export function targetAddress(at: number): number {
  return view.getInt32(at + TARGET_ADDRESS);
}

/** Checks that `available` bytes from `at` are ARP for IPv4 over Ethernet. */
export function check(at: number, available: number): number {
  if (available < ARP_PACKET) return Verdict.BAD_ARP;
  const types = view.getInt32(at) === ((HARDWARE_ETHERNET << 16) | ETHERTYPE_IPV4);
  return types && view.getUint16(at + 4) === LENGTHS ? Verdict.OK : Verdict.BAD_ARP;
}

/** Writes a packet; MACs are copied from the offsets given, addresses are int32. */
export function writeArp(at: number, operationCode: number, fromMac: number, fromAddress: number, toMac: number, toAddress: number): void {
  view.setInt16(at, HARDWARE_ETHERNET);
  view.setInt16(at + PROTOCOL_TYPE, ETHERTYPE_IPV4);
  view.setInt16(at + 4, LENGTHS);
  view.setInt16(at + OPERATION, operationCode);
  copyMac(at + SENDER_MAC, fromMac);
  view.setInt32(at + SENDER_ADDRESS, fromAddress);
  copyMac(at + TARGET_MAC, toMac);
  view.setInt32(at + TARGET_ADDRESS, toAddress);
}
