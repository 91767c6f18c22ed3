/**
 * Which ports a rule that scans forwards at the moment. Pure.
 *
 * A port is forwarded while somebody else listens at its other end. Nothing is begun towards a port on which we listen ourselves, since what
 * comes there may be led back to where it came from; so of two services with the same port, one on each side, one is forwarded. It stays
 * so as long as its service does, whatever is opened afterwards.
 */
import { PortSet } from '../host/port-set.ts';

/** Ports of one namespace that sockets listen on. */
export interface ListeningPorts {
  readonly tcp: PortSet;
  readonly udp: PortSet;
}

/** The part of a rule (rule.ts) that matters here. */
export interface PortMapping {
  readonly protocol: 'tcp' | 'udp';
  readonly first: number;
  readonly last: number;
  readonly targetFirst: number;
}

/**
 * Ports of the rule to listen on, of which `open` are listened on. `services` are the others, and `own` we ourselves, who listen in the
 * namespace of the targets. UDP is forwarded where TCP listens as well: some services use UDP from the first request on (iperf3, QUIC).
 */
export function portsToForward(rule: PortMapping, services: ListeningPorts, own: ListeningPorts, open: PortSet): PortSet {
  const ports = new PortSet();
  const take = (target: number): void => {
    const port = target - rule.targetFirst + rule.first;
    if (port >= rule.first && port <= rule.last && (open.has(port) || !own[rule.protocol].has(target))) ports.add(port);
  };
  for (const target of services.tcp) take(target);
  if (rule.protocol === 'udp') for (const target of services.udp) take(target);
  return ports;
}
