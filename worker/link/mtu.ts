/** How large a packet of the guest's link may be. */

/** RFC 791 §3.2: what every link carries. */
const LEAST_MTU = 68;

/** Bytes of an IP packet. */
export let linkMtu = 1500;

/** Sets the MTU of the guest's link, once, from the configuration. */
export function setLinkMtu(bytes: number): void {
  linkMtu = Math.max(bytes, LEAST_MTU);
}
