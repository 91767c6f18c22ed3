/**
 * The command `pesto`, as the original has it: what its words mean, and what they make of the rules of a run. Pure.
 *
 * The words are steps, in their order. A -t, -u, -T or -U that follows neither -A nor -D replaces: the first of them empties its table.
 * Exit status 0 or 1. Unlike the original it fails when the run has refused the rules, which a run of ours can tell.
 */
import { eachOption } from '../config/getopt.ts';
import { type DescribedOption, optionLine } from '../config/option-line.ts';
import { wrong } from '../config/values.ts';
import { VERSION } from '../config/version.ts';
import type { PortRange } from '../forwarding/port-range.ts';
import { describeRule } from '../forwarding/rule.ts';
import { FORWARDING_OPTIONS, type ForwardingOption, type ForwardingSpec, parseSpec } from '../forwarding/spec.ts';
import { UsageError } from '../usage-error.ts';
import type { ShownTable } from './codec.ts';
import { changeTables, tableOfSide } from './forward.ts';

/** The text of `pesto --version`; its first word is looked for. */
export const PESTO_VERSION = `pesto ${VERSION}\nravioli: a network for machines and containers, without privileges\nLicensed under the Apache License 2.0\n`;

/** In the order of `--help`. */
export const PESTO_OPTIONS: readonly DescribedOption[] = [
  { long: 'add', short: 'A', help: 'Add the ports that follow' },
  { long: 'delete', short: 'D', help: 'Take them away' },
  { long: 'clear', short: 'C', argument: 'TABLE', help: 'Take all away: HOST for -t and -u, SPLICE for -T and -U' },
  { long: 'tcp-ports', short: 't', argument: 'SPEC', help: 'TCP ports forwarded to the guest, as those of pasta' },
  { long: 'udp-ports', short: 'u', argument: 'SPEC', help: 'UDP ports forwarded to the guest' },
  { long: 'tcp-ns', short: 'T', argument: 'SPEC', help: 'TCP ports of the host seen in the namespace' },
  { long: 'udp-ns', short: 'U', argument: 'SPEC', help: 'UDP ports of the host seen in the namespace' },
  { long: 'show', short: 's', help: 'Print the rules before and after' },
  { long: 'debug', short: 'd', help: 'Without effect' },
  { long: 'help', short: 'h', help: 'Print this text' },
  { long: 'version', help: 'Print the version' },
];

/** Bytes for a name and its argument. */
const NAME_WIDTH = 20;

/** The text of `pesto --help`. */
export const PESTO_HELP = `Usage: pesto [OPTION]... PATH

Shows or changes which ports the pasta or passt forwards whose socket (--conf-path) is PATH.

Options:
${PESTO_OPTIONS.map((row) => optionLine(row, NAME_WIDTH)).join('\n')}

With none of -A, -D and -C before it, the first -t or -u replaces all of both, the first -T or -U all of both of these.
`;

type Mode = 'replace' | 'add' | 'del';

/** One thing to do with the rules. */
export type PestoStep = { readonly mode: Mode; readonly spec: ForwardingSpec } | { readonly mode: 'clear'; readonly table: string };

/** What was asked for. */
export type PestoCommand =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'run'; readonly path: string; readonly steps: readonly PestoStep[]; readonly show: boolean };

/**
 * The words behind `pesto`.
 * @throws UsageError
 */
export function parsePesto(words: readonly string[]): PestoCommand {
  const steps: PestoStep[] = [];
  let mode: Mode = 'replace';
  let show = false;
  let text: string | null = null;
  const rest = eachOption(PESTO_OPTIONS, words, ({ row, value }) => {
    const option = `--${row.long}`;
    if (option in FORWARDING_OPTIONS) steps.push({ mode, spec: parseSpec(option as ForwardingOption, value) });
    else if (row.long === 'clear') steps.push({ mode: 'clear', table: value });
    else if (row.long === 'add') mode = 'add';
    else if (row.long === 'delete') mode = 'del';
    else if (row.long === 'show') show = true;
    else if (row.long === 'help') text = PESTO_HELP;
    else if (row.long === 'version') text = PESTO_VERSION;
    return text !== null;
  });
  if (text !== null) return { kind: 'text', text };
  const [path, excess] = rest ?? [];
  if (path === undefined) throw new UsageError('the path of the socket is missing; give that of --conf-path, or --help');
  if (excess !== undefined) throw new UsageError(`'${excess}' is one word too many; give one path, at the end`);
  return { kind: 'run', path, steps, show };
}

/**
 * The tables after all steps.
 * @throws UsageError
 */
export function takeSteps(tables: readonly ShownTable[], steps: readonly PestoStep[], ephemeral: PortRange): readonly ShownTable[] {
  const replaced = new Set<number>();
  return steps.reduce((now, step) => {
    if (step.mode === 'clear') {
      const table = now.find(({ name }) => name === step.table);
      if (table === undefined) throw new UsageError(`--clear '${step.table}': there is no such table; give ${namesOf(now)}`);
      return emptied(now, table.id);
    }
    if (step.mode === 'del') return changeTables(now, 'del', [step.spec], ephemeral);
    const id = tableOfSide(FORWARDING_OPTIONS[step.spec.option].side);
    const before = step.mode === 'add' || replaced.has(id) ? now : emptied(now, id);
    if (step.mode === 'replace') replaced.add(id);
    if (step.spec.none) refuseRules(before, id, step.spec);
    return changeTables(before, 'add', [step.spec], ephemeral);
  }, tables);
}

/** The rules of a run under a heading. */
export function showTables(heading: string, path: string, tables: readonly ShownTable[]): string {
  const lines = tables.flatMap(({ name, rules }) => [`  ${name}`, ...rules.map((rule) => `    ${describeRule(rule)}`)]);
  return `${[`${heading} (${path})`, ...lines].join('\n')}\n`;
}

/** `none` takes nothing back, so it can't follow anything. */
function refuseRules(tables: readonly ShownTable[], id: number, { option, text }: ForwardingSpec): void {
  const { protocol } = FORWARDING_OPTIONS[option];
  const there = tables.find((table) => table.id === id)?.rules.find((rule) => rule.protocol === protocol);
  if (there !== undefined) throw wrong(option, text, `there is ${describeRule(there)} already; give --clear, or leave it out`);
}

function emptied(tables: readonly ShownTable[], id: number): readonly ShownTable[] {
  return tables.map((table) => (table.id === id ? { ...table, rules: [] } : table));
}

function namesOf(tables: readonly ShownTable[]): string {
  return tables.map(({ name }) => name).join(' or ');
}
