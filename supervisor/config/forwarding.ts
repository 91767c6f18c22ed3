/**
 * The part of the plan that says which ports lead where.
 */
import { expandSpec, type HostPorts } from '../forwarding/expansion.ts';
import { type ForwardingTable, makeTable } from '../forwarding/table.ts';
import { UsageError } from '../usage-error.ts';
import type { Options } from './options.ts';

/** The table that the options make on this host. Throws UsageError. */
export function planForwarding(options: Options, host: HostPorts): ForwardingTable {
  const table = rulesOfOptions(options, host);
  if (options.spliceOnly) throw new UsageError('--splice-only is not supported yet');
  return table;
}

/** What was asked for, whether it can be served or not. Throws UsageError. */
export function rulesOfOptions(options: Options, host: HostPorts): ForwardingTable {
  return makeTable(
    options.forwarding.flatMap((spec) => expandSpec(spec, host).map((rule) => ({ rule, name: `${spec.option} '${spec.text}'` }))),
  );
}
