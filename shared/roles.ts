/**
 * The names of the rooms and of what passes between them. One word per room, the same in `ps`, policies, logs and documents.
 */

/** Version of the dialogue; `Hello` carries it and any difference ends the worker. */
export const CHANNEL_VERSION = 1;

/** Descriptor of the channel in the worker. */
export const CHANNEL_FD = 3;

/** What a descriptor of a `Grant` is for. */
export const GrantKind = {
  /** The guest's tap device; `value` = offload bits that TUNSETOFFLOAD accepted (TUN_F_*). */
  TAP: 1,
  /** SEQPACKET socket to the opener of the host's network namespace. */
  OPENER_HOST: 2,
  /** SEQPACKET socket to the opener of the guest's network namespace. */
  OPENER_NAMESPACE: 3,
  /** memfd that holds the flow table's columns; sent with `Config`, before sealing. `value` = its length in KiB. */
  COLUMNS: 4,
  /**
   * The socket of a guest that speaks frames over a stream; takes the place of one that has gone. `value` = 1: a tap without a virtio-net
   * header, of which each read and write is a frame.
   */
  STREAM: 5,
  /**
   * A file that is open for writing alone, at its end: what passes the guest's link is written there as records of pcap(5). `value` = 1:
   * what is spliced, too.
   */
  CAPTURE: 6,
} as const;
export type GrantKind = (typeof GrantKind)[keyof typeof GrantKind];

/** The `comm` of each process, as `ps` shows it, for the mode `pasta` or `passt`. At most 15 characters. */
export function processName(mode: 'pasta' | 'passt', room: 'supervisor' | 'worker' | 'opener' | 'jail'): string {
  return room === 'supervisor' ? mode : `${mode}.${room}`;
}
