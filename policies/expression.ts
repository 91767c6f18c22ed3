/**
 * Conditions on the arguments of a system call.
 *
 *   condition  = conjunction { '||' conjunction }
 *   conjunction = test { '&&' test }
 *   test       = '(' condition ')' | argument [ '&' value ] ( relation value | 'in' '{' value { ',' value } '}' )
 *   relation   = '==' | '!=' | '<' | '<=' | '>' | '>='        unsigned, over the argument's own width
 *   value      = unit { '|' unit }
 *   unit       = '~' unit | NUMBER | CONSTANT | '(' value ')'
 */
import { CONSTANTS } from './constants.ts';
import { type Argument, argumentNames, argumentOf } from './signatures.ts';

export type Relation = '==' | '!=' | '<' | '<=' | '>' | '>=';

/** A parsed condition; `in` is written out as an `or` of equalities. */
export type Condition =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Condition[] }
  | { readonly kind: 'compare'; readonly argument: Argument; readonly mask: bigint; readonly relation: Relation; readonly value: bigint };

const TOKEN = /\s*(0x[0-9a-fA-F]+|\d+|[A-Za-z_]\w*|==|!=|<=|>=|&&|\|\||[<>&|~(){},])/y;
const RELATIONS: readonly string[] = ['==', '!=', '<', '<=', '>', '>='];

/** Parses `text`, a condition for the system call `call`. Throws an Error of one line. */
export function parseCondition(call: string, text: string): Condition {
  const tokens = new Tokens(text);
  const condition = disjunction(call, tokens);
  if (tokens.peek() !== '') throw new Error(`unexpected '${tokens.peek()}' after the condition; join tests with && or ||`);
  return condition;
}

class Tokens {
  readonly #list: string[] = [];
  #at = 0;

  constructor(text: string) {
    TOKEN.lastIndex = 0;
    let end = 0;
    for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
      this.#list.push(match[1] as string);
      end = TOKEN.lastIndex;
    }
    if (text.slice(end).trim() !== '') throw new Error(`'${text.slice(end).trim()}' is not part of a condition`);
  }

  peek(): string {
    return this.#list[this.#at] ?? '';
  }

  take(): string {
    const token = this.peek();
    this.#at += 1;
    return token;
  }

  skip(token: string): boolean {
    if (this.peek() !== token) return false;
    this.#at += 1;
    return true;
  }

  expect(token: string): void {
    if (!this.skip(token)) throw new Error(`'${this.peek()}' stands where '${token}' is needed`);
  }
}

function disjunction(call: string, tokens: Tokens): Condition {
  const parts = [conjunction(call, tokens)];
  while (tokens.skip('||')) parts.push(conjunction(call, tokens));
  return parts.length === 1 ? (parts[0] as Condition) : { kind: 'or', parts };
}

function conjunction(call: string, tokens: Tokens): Condition {
  const parts = [test(call, tokens)];
  while (tokens.skip('&&')) parts.push(test(call, tokens));
  return parts.length === 1 ? (parts[0] as Condition) : { kind: 'and', parts };
}

function test(call: string, tokens: Tokens): Condition {
  if (tokens.skip('(')) {
    const inner = disjunction(call, tokens);
    tokens.expect(')');
    return inner;
  }
  const name = tokens.take();
  const argument = argumentOf(call, name);
  if (argument === undefined) {
    throw new Error(`'${name}' is no argument of ${call}; known: ${argumentNames(call).join(', ') || 'none, add them to signatures.ts'}`);
  }
  const whole = (1n << BigInt(argument.width)) - 1n;
  const mask = tokens.skip('&') ? value(tokens) & whole : whole;
  if (tokens.skip('in')) return { kind: 'or', parts: members(tokens).map((member) => compare(name, argument, mask, '==', member)) };
  const relation = tokens.take();
  if (!RELATIONS.includes(relation)) throw new Error(`'${relation}' is no relation; use one of ${RELATIONS.join(' ')} or in {…}`);
  return compare(name, argument, mask, relation as Relation, value(tokens));
}

function compare(name: string, argument: Argument, mask: bigint, relation: Relation, wanted: bigint): Condition {
  if ((wanted & mask) !== wanted)
    throw new Error(`${name} can never be ${wanted} under mask 0x${mask.toString(16)}; correct the value or the mask`);
  return { kind: 'compare', argument, mask, relation, value: wanted };
}

function members(tokens: Tokens): bigint[] {
  tokens.expect('{');
  const list = [value(tokens)];
  while (tokens.skip(',')) list.push(value(tokens));
  tokens.expect('}');
  return list;
}

function value(tokens: Tokens): bigint {
  let sum = unit(tokens);
  while (tokens.skip('|')) sum |= unit(tokens);
  return sum;
}

function unit(tokens: Tokens): bigint {
  if (tokens.skip('~')) return ~unit(tokens) & 0xffff_ffff_ffff_ffffn;
  if (tokens.skip('(')) {
    const inner = value(tokens);
    tokens.expect(')');
    return inner;
  }
  const token = tokens.take();
  if (/^\d/.test(token)) return BigInt(token);
  const known = CONSTANTS[token];
  if (known === undefined) throw new Error(`'${token}' is no number or known constant; add it to constants.ts`);
  return known;
}
