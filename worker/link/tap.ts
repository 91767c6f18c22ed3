/**
 * The guest's tap device: every frame carries a virtio-net header, whole segments of up to 64 KiB pass either way, and
 * no payload checksum is ever computed.
 *
 * A frame is written as soon as it is committed: the kernel takes one packet per write, so there is nothing to gather.
 * A write that the kernel refuses (queue full, interface down) is a lost frame, as on any wire; the protocols recover.
 */
import { RECEIVE, RECEIVE_LENGTHS, RECEIVE_SLOTS, SLOT } from './arena.ts';
import { kernel } from './kernel.ts';
import { receiveInSlots } from './received.ts';

/** TUNSETOFFLOAD bits (linux/if_tun.h). */
export const TUN_F_CSUM = 0x01;
export const TUN_F_TSO4 = 0x02;
export const TUN_F_TSO6 = 0x04;
export const TUN_F_USO4 = 0x20;
export const TUN_F_USO6 = 0x40;

/** Bytes of a batch: as much as stays in the processor's cache until it is passed on. */
const ENOUGH = 1 << 17;

let fd = -1;
let offloads = 0;

/** Takes the tap and the offload bits its kernel accepted. */
export function openTap(descriptor: number, offloadBits: number): void {
  fd = descriptor;
  offloads = offloadBits;
  receiveInSlots();
}

/** True when the guest's kernel takes UDP superframes (USO) of this family. */
export function takesUdpSegments(family: number): boolean {
  return (offloads & (family === 4 ? TUN_F_USO4 : TUN_F_USO6)) !== 0;
}

/** Reads a batch of frames (received.ts). Count or −errno. */
export function receiveTap(): number {
  return kernel.readPackets(fd, RECEIVE, SLOT, RECEIVE_LENGTHS, RECEIVE_SLOTS, ENOUGH);
}

/** Sends the frame of `length` bytes (with its virtio-net header) from `at`. Bytes written or −errno. */
export function transmitTap(at: number, length: number): number {
  return kernel.write(fd, at, length);
}
