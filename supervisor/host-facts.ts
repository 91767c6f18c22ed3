/**
 * What the host says of itself beside its network, read once.
 */
import { hostname } from 'node:os';
import type { HostFacts } from './config/plan.ts';
import { readEphemeralPorts } from './host/ephemeral-ports.ts';
import type { HandedSocket } from './host/handed-sockets.ts';
import { NO_RESOLVERS, readResolvers } from './host/resolvers.ts';
import { readUdpTimeouts } from './host/udp-timeouts.ts';

/** The facts of now; `handedSockets` are those of this run. */
export function readHostFacts(handedSockets: readonly HandedSocket[]): HostFacts {
  return {
    hostname: hostname(),
    resolvers: readResolvers() ?? NO_RESOLVERS,
    udpTimeouts: readUdpTimeouts(),
    ephemeralPorts: readEphemeralPorts(),
    handedSockets,
  };
}
