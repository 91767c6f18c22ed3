/**
 * Low TCP ports of the host for a run that root has started and that becomes somebody else before anything else is started (run-as.ts).
 *
 * An opener that is never sealed, gone when it has answered, listens for root on the ports that rules name; they are then given where the
 * rules ask for them, as sockets that were handed in are. UDP is answered from other sockets, which could not have the port (D-047), and a
 * port that can't be had is told when its rule is made.
 */
import { openSync } from 'node:fs';
import type { Native } from '../native/supervisor.d.ts';
import { ANY_IPV4, ANY_IPV6 } from '../shared/addresses.ts';
import type { Options } from './config/options.ts';
import { expandSpec } from './forwarding/expansion.ts';
import type { ForwardingRule } from './forwarding/rule.ts';
import { FORWARDING_OPTIONS } from './forwarding/spec.ts';
import { readEphemeralPorts } from './host/ephemeral-ports.ts';
import { type HandedSocket, readFirstUnprivileged } from './host/handed-sockets.ts';
import { Opener } from './opener.ts';
import type { Installation } from './runtime.ts';
import { Spawner } from './spawn.ts';

/** What is needed of the run. */
export interface LowPortParts {
  readonly native: Native;
  readonly installation: Installation;
  readonly mode: 'pasta' | 'passt';
  readonly options: Options;
  /** Takes a child into the run's care. */
  adopt(pid: number): void;
}

/** A port by itself. */
type LowPort = Pick<ForwardingRule, 'address'> & { readonly port: number };

/** Ports below `first` that rules name, of all interfaces. What is wrong with a rule is told when the plan is made. Pure. */
export function lowPortsOf(options: Pick<Options, 'forwarding' | 'ipv4' | 'ipv6' | 'tcp' | 'udp'>, first: number): LowPort[] {
  const specs = options.forwarding.filter(({ option }) => FORWARDING_OPTIONS[option].side === 'host');
  const ports = { ...options, scan: true, ephemeral: readEphemeralPorts() };
  return specs
    .flatMap((spec) => expandSpec(spec, ports))
    .filter(({ protocol, interfaceName, weak, scan }) => protocol === 'tcp' && interfaceName === null && !weak && !scan)
    .flatMap((rule) =>
      Array.from({ length: Math.max(0, Math.min(rule.last, first - 1) - rule.first + 1) }, (_, index) => ({
        address: rule.address,
        port: rule.first + index,
      })),
    );
}

/** Listens on them, as far as they can be had. */
export function bindLowPorts({ native, installation, mode, options, adopt }: LowPortParts): HandedSocket[] {
  const wanted = lowPortsOf(options, readFirstUnprivileged());
  if (wanted.length === 0) return [];
  const nothing = openSync('/dev/null', 'r+');
  const [ours, theirs] = native.socketPair();
  const [unused, workerEnd] = native.socketPair();
  const loopback = { ipv4: false, ipv6: false };
  adopt(new Spawner(native, installation, { nothing, complaints: nothing }).opener(mode, loopback, theirs, workerEnd, null));
  const opener = new Opener(native, ours, 'host');
  const bound = wanted.flatMap(({ address, port }) => {
    opener.postListener({
      protocol: 'tcp',
      port,
      address: address ?? (options.ipv6 ? ANY_IPV6 : ANY_IPV4),
      both: address === null && options.ipv4 && options.ipv6,
      freeBind: options.freebind,
      link: 0,
    });
    const { descriptor } = opener.collectListener('tcp');
    return descriptor === null ? [] : [{ descriptor, name: null, protocol: 'tcp' as const, address, port, interfaceName: null, link: 0 }];
  });
  for (const descriptor of [ours, unused, nothing]) native.close(descriptor);
  return bound;
}
