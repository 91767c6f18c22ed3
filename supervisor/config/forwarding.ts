/**
 * The part of the plan that says which ports lead where.
 */
import { expandSpec, type HostPorts } from '../forwarding/expansion.ts';
import { addHandedSockets } from '../forwarding/handed-rules.ts';
import { type ForwardingTable, makeTable } from '../forwarding/table.ts';
import type { HandedSocket } from '../host/handed-sockets.ts';
import type { Options } from './options.ts';

/** The table that the options, and the sockets that were handed in, make on this host. Throws UsageError. */
export function planForwarding(options: Options, host: HostPorts, handed: readonly HandedSocket[]): ForwardingTable {
  const rules = options.forwarding.flatMap((spec) =>
    expandSpec(spec, host).map((rule) => ({ rule, name: `${spec.option} '${spec.text}'` })),
  );
  return makeTable(addHandedSockets(rules, handed, options.listenFd, host));
}
