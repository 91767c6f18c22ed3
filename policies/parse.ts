/**
 * Policy files → data. One line is one decision with its reason:
 *
 *   default kill                                    # reason
 *   foreign kill                                    # reason: system calls of another architecture or of x32
 *   read: allow                                     # reason
 *   mmap: allow if prot & PROT_EXEC == 0            # reason
 *   [x86_64] open: errno ENOENT                     # reason: a call that only this architecture has
 *
 * Several lines may speak of one call: the first whose condition holds decides; when none does, the default.
 * A line that begins with # is a remark. A decision without a reason is an error.
 */
import { CONSTANTS } from './constants.ts';
import { type Condition, parseCondition } from './expression.ts';

export type Architecture = 'x86_64' | 'aarch64';
export const ARCHITECTURES: readonly Architecture[] = ['x86_64', 'aarch64'];

/** What the kernel does with a call; `errno` only with `errno`. */
export type Action = { readonly kind: 'allow' | 'kill' | 'log' } | { readonly kind: 'errno'; readonly errno: number };

/** One line about one call; without a condition it always applies. */
export interface Rule {
  readonly line: number;
  readonly call: string;
  readonly number: number;
  readonly action: Action;
  readonly condition: Condition | undefined;
  readonly reason: string;
}

export interface Policy {
  readonly fallback: Action;
  readonly foreign: Action;
  readonly rules: readonly Rule[];
}

/** The number of each system call by name, as in `x86_64.json`. */
export type Numbers = Readonly<Record<string, number>>;

const LINE = /^(?:\[(?<only>\w+)\]\s+)?(?<subject>\w+)(?<colon>:)?\s+(?<decision>[^#]*?)\s*#\s*(?<reason>\S.*)$/;

/** Parses a policy for one architecture. Throws an Error that begins with `line N:`. */
export function parsePolicy(text: string, architecture: Architecture, numbers: Numbers): Policy {
  const directives = new Map<string, Action>();
  const rules: Rule[] = [];
  text.split('\n').forEach((line, index) => {
    if (/^\s*(#|$)/.test(line)) return;
    try {
      const rule = parseLine(line, index + 1, architecture, numbers, directives);
      if (rule !== undefined) rules.push(rule);
    } catch (error) {
      throw new Error(`line ${index + 1}: ${(error as Error).message}`);
    }
  });
  const fallback = directives.get('default');
  const foreign = directives.get('foreign');
  if (fallback === undefined || foreign === undefined)
    throw new Error('line 1: a policy needs one `default ACTION` and one `foreign ACTION`');
  refuseRedundant(rules, fallback);
  return { fallback, foreign, rules };
}

function parseLine(
  line: string,
  number: number,
  architecture: Architecture,
  numbers: Numbers,
  directives: Map<string, Action>,
): Rule | undefined {
  const fields = LINE.exec(line)?.groups;
  if (fields === undefined)
    throw new Error(`'${line.trim()}' is not \`CALL: ACTION [if CONDITION]  # REASON\`; every line needs its reason`);
  const { only, subject, colon, decision, reason } = fields as Record<string, string>;
  if (colon === undefined) {
    if (subject !== 'default' && subject !== 'foreign') throw new Error(`'${subject}' is no directive; use default, foreign or CALL:`);
    if (directives.has(subject)) throw new Error(`a second \`${subject}\`; keep one`);
    directives.set(subject, parseAction(decision as string));
    return undefined;
  }
  if (only !== undefined && !ARCHITECTURES.includes(only as Architecture))
    throw new Error(`[${only}] is no architecture; use ${ARCHITECTURES.join(' or ')}`);
  const [actionText = '', ...conditions] = (decision as string).split(/\s+if\s+/);
  const action = parseAction(actionText);
  if (conditions.length > 1) throw new Error('a second `if`; join the conditions with && or write two lines');
  const condition = conditions[0] === undefined ? undefined : parseCondition(subject as string, conditions[0]);
  if (only !== undefined && only !== architecture) return undefined;
  const callNumber = numbers[subject as string];
  if (callNumber === undefined)
    throw new Error(`${architecture} has no system call '${subject}'; correct the name or restrict the line, as in [x86_64]`);
  return { line: number, call: subject as string, number: callNumber, action, condition, reason: reason as string };
}

function parseAction(text: string): Action {
  const [kind, name, ...rest] = text.trim().split(/\s+/);
  if (kind === 'errno' && name !== undefined && rest.length === 0) {
    const errno = /^E[A-Z]+$/.test(name) ? CONSTANTS[name] : undefined;
    if (errno === undefined) throw new Error(`'${name}' is no known errno; add it to constants.ts`);
    return { kind, errno: Number(errno) };
  }
  if ((kind === 'allow' || kind === 'kill' || kind === 'log') && name === undefined) return { kind };
  throw new Error(`'${text.trim()}' is no action; use allow, kill, log or errno NAME`);
}

/** Two actions that the kernel can't tell apart. */
export function sameAction(a: Action, b: Action): boolean {
  return a.kind === b.kind && (a.kind !== 'errno' || b.kind !== 'errno' || a.errno === b.errno);
}

function refuseRedundant(rules: readonly Rule[], fallback: Action): void {
  for (const rule of rules) {
    const later = rules.filter((other) => other.call === rule.call && other.line > rule.line);
    const after = later[0];
    if (rule.condition === undefined && after !== undefined) {
      throw new Error(`line ${after.line}: never reached, line ${rule.line} already decides every ${rule.call}; remove one`);
    }
    if (after === undefined && sameAction(rule.action, fallback)) {
      throw new Error(`line ${rule.line}: ${rule.call} would be decided so by the default; remove the line`);
    }
  }
}
