/**
 * What is said on the control socket, version 2 of the protocol that pesto speaks. Pure: bytes to tables and back. Integers are big-endian.
 *
 *     server: greeting  8 bytes magic, u32 version, u32 size of a table's name (128), u32 size of an interface's name (16)
 *                       for each table: u8 id, its name, u32 capabilities, u32 count, rules of 56 bytes
 *                       u8 0
 *     client: answer    for each table: u8 id, u32 count, rules
 *                       u8 0
 *     server: verdict   u8 0 for done or 1 for refused, u16 length, why in UTF-8
 *
 * The answer replaces all tables; one that it does not name is emptied. A client that only wants to look closes without an answer. The
 * verdict is ours alone: pesto has closed by then and a server of another make closes without one, so neither side relies on it.
 */
import { MAX_FORWARDING_RULES } from '../../shared/limits.ts';
import type { Enabled, ForwardingRule } from '../forwarding/rule.ts';
import type { ForwardingTable } from '../forwarding/table.ts';

const MAGIC = Uint8Array.of(0x62, 0x61, 0x73, 0x69, 0x6c, 0x3a, 0x73, 0);
const VERSION = 2;
const TABLE_NAME_BYTES = 128;
const INTERFACE_NAME_BYTES = 16;
const GREETING_HEAD = 20;
const TABLE_HEAD = 1 + TABLE_NAME_BYTES + 8;
const ANSWER_HEAD = 5;
const RULE_BYTES = 56;
const VERDICT_HEAD = 3;

/** The longest answer that is right. */
export const MAX_ANSWER_BYTES = 2 * (ANSWER_HEAD + MAX_FORWARDING_RULES * RULE_BYTES) + 1;

/** The tables that there can be, by id: ports of the host that lead to the guest, and the other way round. */
export const TABLES = [
  { id: 1, name: 'HOST', side: 'host' },
  { id: 3, name: 'SPLICE', side: 'guest' },
] as const;

const PROTOCOLS = { tcp: 6, udp: 17 } as const;
const RuleFlag = { DUAL_STACK: 1, WEAK: 2, SCAN: 4 } as const;
const Capability = { IPV4: 1, IPV6: 2, TCP: 4, UDP: 8, SCAN: 16, INTERFACE: 32 } as const;

/** One table as a server shows it. Other servers may have tables with ids of which we know nothing. */
export interface ShownTable {
  readonly id: number;
  readonly name: string;
  readonly enabled: Enabled;
  readonly rules: readonly ForwardingRule[];
}

/** What the other end says is not the protocol, or can't be; one line for people. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** Bytes of which more may come: the result when they are complete, else how many there must be before it is worth looking again. */
export type Partial<Result> = { readonly result: Result } | { readonly needs: number };

/** The tables of a run: a machine (passt), into whose ports nobody can look, has no loopback of ours to listen on either. */
export function tablesOf({ scan }: Enabled): readonly (typeof TABLES)[number][] {
  return scan ? TABLES : TABLES.slice(0, 1);
}

/** The server's greeting. */
export function encodeGreeting(table: ForwardingTable, enabled: Enabled): Uint8Array {
  const tables = tablesOf(enabled);
  const count = tables.reduce((sum, { side }) => sum + table[side].length, 0);
  const bytes = new Uint8Array(GREETING_HEAD + tables.length * TABLE_HEAD + count * RULE_BYTES + 1);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(8, VERSION);
  view.setUint32(12, TABLE_NAME_BYTES);
  view.setUint32(16, INTERFACE_NAME_BYTES);
  let at = GREETING_HEAD;
  for (const { id, name, side } of tables) {
    const rules = table[side];
    bytes[at] = id;
    setText(bytes, at + 1, name);
    view.setUint32(at + 1 + TABLE_NAME_BYTES, capabilityBits(enabled));
    view.setUint32(at + TABLE_HEAD - 4, rules.length);
    at = setRules(bytes, at + TABLE_HEAD, rules);
  }
  return bytes;
}

/**
 * The tables of a server's greeting.
 * @throws ProtocolError when it is of another version, or can't be understood
 */
export function decodeGreeting(bytes: Uint8Array): Partial<readonly ShownTable[]> {
  if (bytes.length < GREETING_HEAD) return { needs: GREETING_HEAD };
  const view = viewOf(bytes);
  if (MAGIC.some((byte, at) => bytes[at] !== byte)) throw new ProtocolError('this is not the control socket of a translator');
  const version = view.getUint32(8);
  if (version !== VERSION) throw new ProtocolError(`the other end speaks version ${version} of the protocol, we speak ${VERSION}`);
  if (view.getUint32(12) !== TABLE_NAME_BYTES || view.getUint32(16) !== INTERFACE_NAME_BYTES)
    throw new ProtocolError('the other end has names of another size');
  const tables: ShownTable[] = [];
  for (let at = GREETING_HEAD; ; ) {
    if (bytes.length < at + 1) return { needs: at + 1 };
    const id = bytes[at] as number;
    if (id === 0) return { result: tables };
    if (bytes.length < at + TABLE_HEAD) return { needs: at + TABLE_HEAD };
    const count = countOf(view, at + TABLE_HEAD - 4);
    const end = at + TABLE_HEAD + count * RULE_BYTES;
    if (bytes.length < end) return { needs: end };
    const name = textOf(bytes.subarray(at + 1, at + 1 + TABLE_NAME_BYTES), 'a table');
    tables.push({
      id,
      name,
      enabled: enabledOf(view.getUint32(at + 1 + TABLE_NAME_BYTES)),
      rules: rulesOf(bytes, at + TABLE_HEAD, count, id === 3 ? 'guest' : 'host'),
    });
    at = end;
  }
}

/** The client's answer: every table of the greeting, with its new rules. */
export function encodeAnswer(tables: readonly Pick<ShownTable, 'id' | 'rules'>[]): Uint8Array {
  const count = tables.reduce((sum, table) => sum + table.rules.length, 0);
  const bytes = new Uint8Array(tables.length * ANSWER_HEAD + count * RULE_BYTES + 1);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { id, rules } of tables) {
    bytes[at] = id;
    view.setUint32(at + 1, rules.length);
    at = setRules(bytes, at + ANSWER_HEAD, rules);
  }
  return bytes;
}

/**
 * The rules of a client's answer. Whether each can be (`faultOf`), and all together (`makeTable`), is not looked at here.
 * @throws ProtocolError
 */
export function decodeAnswer(bytes: Uint8Array, enabled: Enabled): Partial<ForwardingTable> {
  const view = viewOf(bytes);
  const found: { host?: readonly ForwardingRule[]; guest?: readonly ForwardingRule[] } = {};
  for (let at = 0; ; ) {
    if (bytes.length < at + 1) return { needs: at + 1 };
    const id = bytes[at] as number;
    if (id === 0) {
      if (bytes.length > at + 1) throw new ProtocolError(`${bytes.length - at - 1} bytes follow the end`);
      return { result: { host: found.host ?? [], guest: found.guest ?? [] } };
    }
    const table = tablesOf(enabled).find((known) => known.id === id);
    if (table === undefined) throw new ProtocolError(`there is no table ${id}`);
    if (found[table.side] !== undefined) throw new ProtocolError(`table ${table.name} comes twice`);
    if (bytes.length < at + ANSWER_HEAD) return { needs: at + ANSWER_HEAD };
    const count = countOf(view, at + 1);
    const end = at + ANSWER_HEAD + count * RULE_BYTES;
    if (bytes.length < end) return { needs: end };
    found[table.side] = rulesOf(bytes, at + ANSWER_HEAD, count, table.side);
    at = end;
  }
}

/** The server's last word; null = done. */
export function encodeVerdict(refusal: string | null): Uint8Array {
  const text = Buffer.from(refusal ?? '', 'utf8').subarray(0, 0xffff);
  const bytes = new Uint8Array(VERDICT_HEAD + text.length);
  bytes[0] = refusal === null ? 0 : 1;
  new DataView(bytes.buffer).setUint16(1, text.length);
  bytes.set(text, VERDICT_HEAD);
  return bytes;
}

/** The verdict: null = done, else why not. Undefined when there is none, as from a server of another make. */
export function decodeVerdict(bytes: Uint8Array): string | null | undefined {
  if (bytes.length < VERDICT_HEAD || bytes.length < VERDICT_HEAD + viewOf(bytes).getUint16(1)) return undefined;
  return bytes[0] === 0 ? null : Buffer.from(bytes.subarray(VERDICT_HEAD, VERDICT_HEAD + viewOf(bytes).getUint16(1))).toString('utf8');
}

function capabilityBits({ ipv4, ipv6, tcp, udp, scan }: Enabled): number {
  let bits: number = Capability.INTERFACE;
  if (ipv4) bits |= Capability.IPV4;
  if (ipv6) bits |= Capability.IPV6;
  if (tcp) bits |= Capability.TCP;
  if (udp) bits |= Capability.UDP;
  if (scan) bits |= Capability.SCAN;
  return bits;
}

function enabledOf(bits: number): Enabled {
  const has = (bit: number): boolean => (bits & bit) !== 0;
  return {
    ipv4: has(Capability.IPV4),
    ipv6: has(Capability.IPV6),
    tcp: has(Capability.TCP),
    udp: has(Capability.UDP),
    scan: has(Capability.SCAN),
  };
}

function countOf(view: DataView, at: number): number {
  const count = view.getUint32(at);
  if (count > MAX_FORWARDING_RULES) throw new ProtocolError(`${count} rules are too many for one table; it holds ${MAX_FORWARDING_RULES}`);
  return count;
}

function setRules(bytes: Uint8Array, from: number, rules: readonly ForwardingRule[]): number {
  let at = from;
  for (const rule of rules) {
    const view = viewOf(bytes.subarray(at, at + RULE_BYTES));
    if (rule.address !== null) bytes.set(rule.address, at);
    if (rule.target !== null) bytes.set(rule.target, at + 16);
    setText(bytes, at + 32, rule.interfaceName ?? '');
    view.setUint16(48, rule.first);
    view.setUint16(50, rule.last);
    view.setUint16(52, rule.targetFirst);
    view.setUint8(54, PROTOCOLS[rule.protocol]);
    const dualStack = rule.address === null ? RuleFlag.DUAL_STACK : 0;
    view.setUint8(55, dualStack | (rule.weak ? RuleFlag.WEAK : 0) | (rule.scan ? RuleFlag.SCAN : 0));
    at += RULE_BYTES;
  }
  return at;
}

function rulesOf(bytes: Uint8Array, from: number, count: number, side: ForwardingRule['side']): readonly ForwardingRule[] {
  const rules: ForwardingRule[] = [];
  for (let index = 0; index < count; index++) {
    const at = from + index * RULE_BYTES;
    rules.push(ruleOf(bytes.subarray(at, at + RULE_BYTES), side));
  }
  return rules;
}

function ruleOf(bytes: Uint8Array, side: ForwardingRule['side']): ForwardingRule {
  const view = viewOf(bytes);
  const protocol = bytes[54] === PROTOCOLS.tcp ? 'tcp' : bytes[54] === PROTOCOLS.udp ? 'udp' : null;
  if (protocol === null) throw new ProtocolError(`protocol ${bytes[54]} can't be forwarded`);
  const flags = bytes[55] as number;
  if (flags > (RuleFlag.DUAL_STACK | RuleFlag.WEAK | RuleFlag.SCAN)) throw new ProtocolError(`flags 0x${flags.toString(16)} are unknown`);
  const [first, last, targetFirst] = [view.getUint16(48), view.getUint16(50), view.getUint16(52)];
  const name = textOf(bytes.subarray(32, 48), 'an interface');
  return {
    protocol,
    side,
    ...addressesOf(bytes, (flags & RuleFlag.DUAL_STACK) !== 0),
    interfaceName: name === '' ? null : name,
    first,
    last,
    targetFirst,
    weak: (flags & RuleFlag.WEAK) !== 0,
    scan: (flags & RuleFlag.SCAN) !== 0,
  };
}

function addressesOf(bytes: Uint8Array, dualStack: boolean): Pick<ForwardingRule, 'address' | 'target'> {
  const address = bytes.slice(0, 16);
  if (dualStack && address.some((byte) => byte !== 0)) throw new ProtocolError('a rule for both families has an address');
  const target = bytes.slice(16, 32);
  return { address: dualStack ? null : address, target: target.every((byte) => byte === 0) ? null : target };
}

/** The text before the first NUL; all behind it must be NUL as well. */
function textOf(field: Uint8Array, what: string): string {
  const end = field.indexOf(0);
  const bytes = field.subarray(0, end);
  if (end < 0 || field.subarray(end).some((byte) => byte !== 0)) throw new ProtocolError(`the name of ${what} doesn't end`);
  if (bytes.some((byte) => byte <= 0x20 || byte === 0x2f || byte === 0x3a || byte >= 0x7f))
    throw new ProtocolError(`the name of ${what} has bytes that no name has`);
  return String.fromCharCode(...bytes);
}

function setText(bytes: Uint8Array, from: number, text: string): void {
  for (let at = 0; at < text.length; at++) bytes[from + at] = text.charCodeAt(at);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
