/**
 * The part of the plan that says which ports lead where.
 */
import { expandSpec, type HostPorts } from '../forwarding/expansion.ts';
import { type ForwardingTable, makeTable } from '../forwarding/table.ts';
import type { Options } from './options.ts';

/** The table that the options make on this host. Throws UsageError. */
export function planForwarding(options: Options, host: HostPorts): ForwardingTable {
  return makeTable(
    options.forwarding.flatMap((spec) => expandSpec(spec, host).map((rule) => ({ rule, name: `${spec.option} '${spec.text}'` }))),
  );
}
