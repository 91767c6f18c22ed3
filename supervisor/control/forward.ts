/**
 * `ravioli forward`: what its words mean, and what they make of the rules of a run. Pure.
 */
import { eachOption } from '../config/getopt.ts';
import { type DescribedOption, optionLine } from '../config/option-line.ts';
import { decimal, wrong } from '../config/values.ts';
import { expandSpec } from '../forwarding/expansion.ts';
import type { PortRange } from '../forwarding/port-range.ts';
import { describeRule, type ForwardingRule, sameRule } from '../forwarding/rule.ts';
import { FORWARDING_OPTIONS, type ForwardingOption, type ForwardingSpec, parseSpec } from '../forwarding/spec.ts';
import { makeTable, named } from '../forwarding/table.ts';
import { UsageError } from '../usage-error.ts';
import { type ShownTable, TABLES } from './codec.ts';

const ACTIONS = ['list', 'add', 'del'] as const;

/** In the order of `--help`. */
export const FORWARD_OPTIONS: readonly DescribedOption[] = [
  { long: 'tcp-ports', short: 't', argument: 'SPEC', help: 'TCP ports forwarded to the guest, as those of pasta' },
  { long: 'udp-ports', short: 'u', argument: 'SPEC', help: 'UDP ports forwarded to the guest' },
  { long: 'tcp-ns', short: 'T', argument: 'SPEC', help: 'TCP ports of the host seen in the namespace' },
  { long: 'udp-ns', short: 'U', argument: 'SPEC', help: 'UDP ports of the host seen in the namespace' },
  { long: 'path', argument: 'PATH', help: 'Control socket of the run: what it was given by --conf-path' },
  { long: 'pid', argument: 'PID', help: 'The run with this process ID' },
  { long: 'json', help: 'Print the rules, as JSON' },
  { long: 'help', short: 'h', help: 'Print this text' },
];

/** Bytes for a name and its argument. */
const NAME_WIDTH = 20;

/** The text of `ravioli forward --help`. */
export const FORWARD_HELP = `Usage: ravioli forward list [--json] [--path PATH | --pid PID]
       ravioli forward add [OPTION]... [--json] [--path PATH | --pid PID]
       ravioli forward del [OPTION]... [--json] [--path PATH | --pid PID]

Shows or changes which ports a run forwards. What is there stays as it is; connections are not disturbed.

Options:
${FORWARD_OPTIONS.map((row) => optionLine(row, NAME_WIDTH)).join('\n')}

Without --path and --pid 'list' shows all runs of this user that have no --conf-path; 'add' and 'del' need the only one.

Exit status: 0 when it is done, 1 when the words are wrong or the run can't be found or reached, 2 when the run has refused
and nothing has changed.
`;

/** What was asked for. */
export interface ForwardCommand {
  readonly action: (typeof ACTIONS)[number] | 'help';
  readonly specs: readonly ForwardingSpec[];
  readonly path: string | null;
  readonly pid: number | null;
  readonly json: boolean;
}

/**
 * The words behind `ravioli forward`.
 * @throws UsageError
 */
export function parseForward(words: readonly string[]): ForwardCommand {
  const draft = { specs: [] as ForwardingSpec[], path: null as string | null, pid: null as number | null, json: false, help: false };
  // The action may stand before the options or behind them.
  const first = words[0]?.startsWith('-') === false ? [words[0]] : [];
  const rest = eachOption(FORWARD_OPTIONS, words.slice(first.length), ({ row, value }) => {
    const option = `--${row.long}`;
    if (option in FORWARDING_OPTIONS) draft.specs.push(parseSpec(option as ForwardingOption, value));
    else if (row.long === 'path') draft.path = value;
    else if (row.long === 'pid') draft.pid = pidValue(value);
    else if (row.long === 'json') draft.json = true;
    else draft.help = true;
    return false;
  });
  const { help, ...asked } = draft;
  if (help) return { ...asked, action: 'help' };
  const [word, excess] = [...first, ...(rest ?? [])];
  const action = ACTIONS.find((known) => known === word);
  if (action === undefined)
    throw new UsageError(`${word === undefined ? 'what to do is missing' : `'${word}' is nothing to do`}; ${CHOICE}`);
  if (excess !== undefined) throw new UsageError(`'${excess}' is one word too many; give ports behind -t, -u, -T or -U`);
  if (asked.path !== null && asked.pid !== null) throw new UsageError('--path and --pid both name the run; leave one out');
  if (action === 'list' && asked.specs.length > 0) throw new UsageError("'list' shows all rules; leave -t, -u, -T and -U out");
  if (action !== 'list' && asked.specs.length === 0) throw new UsageError(`'${action}' needs ports; give -t, -u, -T or -U`);
  return { ...asked, action };
}

const CHOICE = "give 'list', 'add' or 'del', or --help";

function pidValue(text: string): number {
  const pid = decimal(text);
  if (pid === null || pid < 1) throw wrong('--pid', text, 'is no process ID; give that of pasta');
  return pid;
}

/**
 * The tables with the change made: what is there keeps its place and its order.
 * @throws UsageError when a rule can't be there, is there already, or is not there
 */
export function changeTables(
  tables: readonly ShownTable[],
  action: 'add' | 'del',
  specs: readonly ForwardingSpec[],
  ephemeral: PortRange,
): readonly ShownTable[] {
  const changed = tables.map((table) => ({ ...table, rules: [...table.rules] }));
  for (const spec of specs) {
    const wanted = tableOfSide(FORWARDING_OPTIONS[spec.option].side);
    const table = changed.find(({ id }) => id === wanted);
    if (table === undefined) throw wrong(spec.option, spec.text, 'this run has no such ports; leave the option out');
    const rules = expandSpec(spec, { ...table.enabled, ephemeral });
    if (action === 'add') addRules(table.rules, rules, spec);
    else for (const rule of rules) removeRule(table.rules, rule, spec);
  }
  return changed;
}

/** The id of the table with the rules of a side. */
export function tableOfSide(side: ForwardingRule['side']): number {
  return side === 'host' ? TABLES[0].id : TABLES[1].id;
}

function addRules(there: ForwardingRule[], rules: readonly ForwardingRule[], spec: ForwardingSpec): void {
  makeTable([...there.map(named), ...rules.map((rule) => ({ rule, name: `${spec.option} '${spec.text}'` }))]);
  there.push(...rules);
}

function removeRule(there: ForwardingRule[], rule: ForwardingRule, spec: ForwardingSpec): void {
  const at = there.findIndex((other) => sameRule(other, rule));
  if (at < 0)
    throw wrong(spec.option, spec.text, `there is no rule ${describeRule(rule)}; 'ravioli forward list' shows those that there are`);
  there.splice(at, 1);
}
