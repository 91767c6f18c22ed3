/**
 * Which ports the host's kernel gives to connections that ask for none: services are not looked for there.
 */
import { readFileSync } from 'node:fs';
import { EPHEMERAL_PORTS } from '../../shared/limits.ts';

/** Both ends are part of it. That of RFC 6335 §6 where the kernel says nothing that can be read. */
export function readEphemeralPorts(path = '/proc/sys/net/ipv4/ip_local_port_range'): { readonly first: number; readonly last: number } {
  try {
    const [, first, last] = /^([0-9]{1,5})\s+([0-9]{1,5})\s*$/.exec(readFileSync(path, 'latin1')) ?? [];
    const range = { first: Number(first), last: Number(last) };
    return range.first >= 1 && range.first <= range.last && range.last <= 65_535 ? range : EPHEMERAL_PORTS;
  } catch {
    return EPHEMERAL_PORTS;
  }
}
