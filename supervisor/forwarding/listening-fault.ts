/**
 * Why a port can't be listened on and what to do, in one line.
 */
import { formatAddress } from '../../shared/addresses.ts';
import { getSystemErrorMessage } from 'node:util';
import { type ForwardingRule, optionOf } from './rule.ts';

const EACCES = 13;
const ENODEV = 19;
const EMFILE = 24;
const EADDRINUSE = 98;
const EADDRNOTAVAIL = 99;
const FIRST_UNPRIVILEGED = 1024;

function cureOf(errno: number, port: number): string {
  switch (errno) {
    case EADDRINUSE:
      return 'another program has it; choose another port, or stop that program';
    case EADDRNOTAVAIL:
      return 'this host has no such address; choose one of its own, or give --freebind';
    case ENODEV:
      return "there is no such interface; see 'ip link'";
    case EMFILE:
      return "the limit on open files is reached; raise it with 'ulimit -Hn' as root, or forward fewer ports";
    case EACCES:
      return port < FIRST_UNPRIVILEGED
        ? `choose a port from ${FIRST_UNPRIVILEGED} on, or run 'sysctl net.ipv4.ip_unprivileged_port_start=${port}' as root`
        : 'the system forbids it';
    default:
      return 'choose another port or address';
  }
}

/** A line for people about `port` of `rule`; `errno` > 0. */
export function listeningFault(rule: ForwardingRule, port: number, errno: number): string {
  const { protocol, side, address, interfaceName } = rule;
  const where = address === null ? '' : ` of ${formatAddress(address)}`;
  const device = interfaceName === null || side === 'guest' ? '' : ` on ${interfaceName}`;
  const place = side === 'guest' ? ' in the namespace' : '';
  const socket = `${protocol.toUpperCase()} port ${port}${where}${device}${place}`;
  return `${optionOf(rule)}: can't listen on ${socket} (${getSystemErrorMessage(-errno)}); ${cureOf(errno, port)}`;
}
