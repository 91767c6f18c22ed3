/**
 * Where sockets that were handed in lead: each serves the rule of the options that would listen exactly where it does, or one of its own.
 * Pure.
 */
import { sameAddress } from '../../shared/addresses.ts';
import { type HandedSocket, nameOf } from '../host/handed-sockets.ts';
import { wrong } from '../config/values.ts';
import { UsageError } from '../usage-error.ts';
import { subtractRanges } from './port-range.ts';
import { conflictOf, type Enabled, faultOf, type ForwardingRule } from './rule.ts';
import type { NamedRule } from './table.ts';

/** What `--listen-fd` says of one. */
export interface HandedChoice {
  /** The value as it was written. */
  readonly text: string;
  /** The number of a descriptor, or a name that one or more were handed in with. */
  readonly which: number | string;
  /** Port and address of the guest; null = not said. */
  readonly targetPort: number | null;
  readonly target: Uint8Array | null;
}

/** `8080`, `tcp-8080`, `udp-53`: the port of the guest. */
const PORT_NAME = /^(?:(tcp|udp)-)?([1-9][0-9]{0,4})$/;

/**
 * The rules of the options and those of the sockets. A range that nobody named, or whose ports are open for some time only, is without the
 * port of a socket.
 * @throws UsageError when a socket can't lead anywhere; that it conflicts with a rule is told when the table is made
 */
export function addHandedSockets(
  rules: readonly NamedRule[],
  sockets: readonly HandedSocket[],
  choices: readonly HandedChoice[],
  enabled: Enabled,
): NamedRule[] {
  for (const { text, which } of choices) {
    if (!sockets.some(({ descriptor, name }) => which === descriptor || which === name))
      throw wrong('--listen-fd', text, 'no socket of that name was handed in; see LISTEN_FDNAMES in sd_listen_fds(3)');
  }
  let all = [...rules];
  for (const socket of sockets) {
    const name = nameOf(socket);
    const { port, target } = targetOf(socket, choices);
    const { protocol, address, interfaceName } = socket;
    const side = 'host';
    const own = {
      protocol,
      side,
      address,
      interfaceName,
      first: socket.port,
      last: socket.port,
      target,
      weak: false,
      scan: false,
    } as const;
    const rule: ForwardingRule = { ...own, targetFirst: port ?? socket.port };
    const fault = faultOf(rule, enabled);
    if (fault !== null) throw new UsageError(`${name}: ${fault}`);
    all = all.flatMap((other) => withoutPort(other, rule));
    if (!all.some((other) => isServed(other.rule, rule, port === null))) all.push({ rule, name });
  }
  return all;
}

/** What was said of the socket: by option, else by its name; null = nothing. */
function targetOf(socket: HandedSocket, choices: readonly HandedChoice[]): { port: number | null; target: Uint8Array | null } {
  const choice = choices.find(({ which }) => which === socket.descriptor || which === socket.name);
  if (choice !== undefined) return { port: choice.targetPort, target: choice.target };
  const [, protocol, digits] = PORT_NAME.exec(socket.name ?? '') ?? [];
  if (digits === undefined) return { port: null, target: null };
  const port = Number(digits);
  if (port > 65_535) throw new UsageError(`${nameOf(socket)}: ${port} is no port; the last one is 65535`);
  if (protocol !== undefined && protocol !== socket.protocol)
    throw new UsageError(`${nameOf(socket)} is a ${socket.protocol.toUpperCase()} socket; name it ${socket.protocol}-${port}, or ${port}`);
  return { port, target: null };
}

/** The rule, or what is left of it without the port of the socket: nobody has asked for that port by itself. */
function withoutPort(other: NamedRule, socket: ForwardingRule): NamedRule[] {
  const { rule, name } = other;
  if ((!rule.weak && !rule.scan) || conflictOf(rule, socket) === null) return [other];
  return subtractRanges(rule, [socket]).map((range) => ({
    name,
    rule: { ...rule, ...range, targetFirst: rule.targetFirst + range.first - rule.first },
  }));
}

/** True when `rule` would listen where the socket does; `anywhere`: wherever it leads. */
function isServed(rule: ForwardingRule, socket: ForwardingRule, anywhere: boolean): boolean {
  const listensThere =
    rule.protocol === socket.protocol &&
    rule.side === 'host' &&
    rule.first <= socket.first &&
    rule.last >= socket.first &&
    rule.interfaceName === socket.interfaceName &&
    sameOrNull(rule.address, socket.address);
  const targetPort = rule.targetFirst + socket.first - rule.first;
  return listensThere && (anywhere || (targetPort === socket.targetFirst && sameOrNull(rule.target, socket.target)));
}

function sameOrNull(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : sameAddress(a, b);
}
