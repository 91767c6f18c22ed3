/**
 * The rules of runs, for people and for programs. Pure.
 */
import { familyOf, formatAddress } from '../../shared/addresses.ts';
import { formatPorts, type PortRange } from '../forwarding/port-range.ts';
import { type ForwardingRule, targetPorts } from '../forwarding/rule.ts';

/** A run and its rules. */
export interface ListedRun {
  readonly path: string;
  /** null when only the path is known. */
  readonly pid: number | null;
  readonly rules: readonly ForwardingRule[];
}

const HEADINGS = ['PROTOCOL', 'LISTENS', 'LEADS TO', 'NOTES'] as const;

/** A table for each run, under its path. */
export function listForPeople(runs: readonly ListedRun[]): string {
  return runs.map((run) => `${headingOf(run)}\n${run.rules.length === 0 ? '  nothing is forwarded\n' : tableOf(run.rules)}`).join('\n');
}

/** An array with an object for each run, in one line. */
export function listAsJson(runs: readonly ListedRun[]): string {
  return `${JSON.stringify(runs.map(({ path, pid, rules }) => ({ path, pid, rules: rules.map(jsonOfRule) })))}\n`;
}

/** A rule as programs read it. */
export function jsonOfRule(rule: ForwardingRule): object {
  return {
    protocol: rule.protocol,
    side: rule.side,
    address: rule.address === null ? null : formatAddress(rule.address),
    interface: rule.interfaceName,
    first: rule.first,
    last: rule.last,
    target: rule.target === null ? null : formatAddress(rule.target),
    targetFirst: rule.targetFirst,
    weak: rule.weak,
    scan: rule.scan,
  };
}

function headingOf({ path, pid }: ListedRun): string {
  return pid === null ? path : `process ${pid} (${path})`;
}

function tableOf(rules: readonly ForwardingRule[]): string {
  const rows = [HEADINGS, ...rules.map(rowOf)];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  const line = (row: readonly string[]): string => `  ${row.map((cell, column) => cell.padEnd(widths[column] as number)).join('  ')}`;
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('');
}

function rowOf(rule: ForwardingRule): readonly string[] {
  const [from, to] = rule.side === 'host' ? ['host', 'guest'] : ['guest', 'host'];
  const device = rule.interfaceName === null ? '' : `%${rule.interfaceName}`;
  const notes = [rule.weak ? 'best effort' : '', rule.scan ? 'auto' : ''].filter((note) => note !== '');
  return [
    rule.protocol.toUpperCase(),
    `${from} ${rule.address === null ? '*' : hostText(rule.address)}${device}:${formatPorts(rule)}`,
    `${to} ${targetText(rule.target, targetPorts(rule))}`,
    notes.join(', '),
  ];
}

function targetText(target: Uint8Array | null, ports: PortRange): string {
  return target === null
    ? `port${ports.first === ports.last ? '' : 's'} ${formatPorts(ports)}`
    : `${hostText(target)}:${formatPorts(ports)}`;
}

function hostText(address: Uint8Array): string {
  return familyOf(address) === 4 ? formatAddress(address) : `[${formatAddress(address)}]`;
}
