/**
 * The value of `-t`, `-u`, `-T` or `-U`, word by word. Pure; what the host has to do with it comes in `expansion.ts`.
 *
 *     spec  = "none" | [ where "/" ] chunk { "," chunk }
 *     where = [ "*" | address ] [ "%" interface ]            an address may be in brackets
 *     chunk = "all" [ ":" address ] | "auto" | "~" range | range [ ":" [ address "/" ] range | ":" address ]
 *     range = port [ "-" port ]
 */
import { isUnspecified, parseAddress } from '../../shared/addresses.ts';
import { interfaceValue, wrong } from '../config/values.ts';
import type { UsageError } from '../usage-error.ts';
import { countPorts, formatPorts, type PortRange } from './port-range.ts';

/** The four options, by their long names. */
export type ForwardingOption = '--tcp-ports' | '--udp-ports' | '--tcp-ns' | '--udp-ns';

/** Which direction and protocol an option is about. */
export const FORWARDING_OPTIONS = {
  '--tcp-ports': { protocol: 'tcp', side: 'host' },
  '--udp-ports': { protocol: 'udp', side: 'host' },
  '--tcp-ns': { protocol: 'tcp', side: 'guest' },
  '--udp-ns': { protocol: 'udp', side: 'guest' },
} as const;

/** Ports that were named, and where they lead. */
export interface Inclusion extends PortRange {
  readonly targetFirst: number;
  /** null = the automatic one. */
  readonly target: Uint8Array | null;
}

/** One option as it was given. */
export interface ForwardingSpec {
  readonly option: ForwardingOption;
  /** The value as it was written. */
  readonly text: string;
  /** Nothing shall be forwarded; the fields below are then empty. */
  readonly none: boolean;
  /** null = any of both families. */
  readonly address: Uint8Array | null;
  readonly interfaceName: string | null;
  /** Empty = all ports but ephemeral ones, as far as they can be had. */
  readonly inclusions: readonly Inclusion[];
  /** Where those lead that nobody named. */
  readonly target: Uint8Array | null;
  readonly exclusions: readonly PortRange[];
  /** Only those ports on which somebody listens at the other side. */
  readonly scan: boolean;
}

type Fail = (cure: string) => UsageError;
type Draft = { -readonly [Key in keyof ForwardingSpec]: ForwardingSpec[Key] } & { inclusions: Inclusion[]; exclusions: PortRange[] };

/**
 * Reads the value of an option.
 * @throws UsageError with what is wrong and the cure
 */
export function parseSpec(option: ForwardingOption, text: string): ForwardingSpec {
  const fail: Fail = (cure) => wrong(option, text, cure);
  const empty = { option, text, none: false, address: null, interfaceName: null, target: null, scan: false };
  if (text === 'none') return { ...empty, none: true, inclusions: [], exclusions: [] };
  const draft: Draft = { ...empty, inclusions: [], exclusions: [] };
  const chunks = takeWhere(draft, fail);
  let all: string | null = null;
  for (const chunk of chunks.split(',')) {
    // Blanks before a number have always been taken, as in '80, 443'.
    const word = chunk.replace(/^ +/, '');
    if (word === 'auto') draft.scan = true;
    else if (word === 'all' || word.startsWith('all:')) {
      if (all !== null && all !== word) throw fail(`'${all}' and '${word}' contradict each other; leave one out`);
      all = word;
      if (word !== 'all') draft.target = targetAddress(word.slice(4), word, fail);
    } else if (word.startsWith('~')) draft.exclusions.push(range(word.slice(1), fail));
    else draft.inclusions.push(inclusion(word, fail));
  }
  return draft;
}

/** Takes what stands before the first slash, unless that belongs to a target; returns the rest. */
function takeWhere(draft: Draft, fail: Fail): string {
  const slash = draft.text.indexOf('/');
  const where = draft.text.slice(0, Math.max(slash, 0));
  if (slash < 0 || isTargetBefore(where)) return draft.text;
  if (FORWARDING_OPTIONS[draft.option].side === 'guest') {
    throw fail('the namespace listens on its loopback only; give the ports alone');
  }
  const percent = where.indexOf('%');
  const address = percent < 0 ? where : where.slice(0, percent);
  if (percent >= 0) draft.interfaceName = interfaceValue(`${draft.option} '${draft.text}': interface`, where.slice(percent + 1));
  if (address !== '' && address !== '*') draft.address = anyAddress(address, fail);
  return draft.text.slice(slash + 1);
}

/** True for `80:192.0.2.1` and `80,90:[2001:db8::1]`, where the slash behind is the target's; an IPv6 address is none. */
function isTargetBefore(where: string): boolean {
  return /^[0-9]+(-[0-9]+)?(,[^:]*)?:/.test(where) && parseAddress(where.replace(/%.*/, '')) === null;
}

/** An address of either family, in brackets or not; IPv4 in the form of IPv6 as well, as the peer takes it. */
function anyAddress(text: string, fail: Fail): Uint8Array {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  const address = parseAddress(bare);
  if (address === null) throw fail(`'${text}' is not an IP address; give it as 192.0.2.1 or [2001:db8::1]`);
  return address;
}

/** null for 0.0.0.0 and ::, which mean the automatic one. */
function targetAddress(text: string, chunk: string, fail: Fail): Uint8Array | null {
  if (text === '') throw fail(`'${chunk}' lacks the target behind the colon; give one or leave the colon out`);
  if (/^[0-9]+(-[0-9]+)?$/.test(text)) throw fail(`'${chunk}': ports that nobody named stay the same; give an address or nothing`);
  const address = anyAddress(text, fail);
  return isUnspecified(address) ? null : address;
}

function inclusion(chunk: string, fail: Fail): Inclusion {
  const colon = chunk.indexOf(':');
  const source = range(colon < 0 ? chunk : chunk.slice(0, colon), fail);
  if (colon < 0) return { ...source, targetFirst: source.first, target: null };
  const destination = chunk.slice(colon + 1);
  const slash = destination.indexOf('/');
  const ports = slash < 0 && !/^[0-9]+(-|$)/.test(destination) ? null : range(destination.slice(slash + 1), fail);
  const address = slash >= 0 ? destination.slice(0, slash) : ports === null ? destination : null;
  if (ports !== null && countPorts(ports) !== countPorts(source)) {
    const [left, right] = [source, ports].map((side) => `${formatPorts(side)} (${countPorts(side)})`);
    throw fail(`${left} and ${right} are not equally many ports; give as many on both sides`);
  }
  return {
    ...source,
    targetFirst: ports?.first ?? source.first,
    target: address === null ? null : targetAddress(address, chunk, fail),
  };
}

function range(text: string, fail: Fail): PortRange {
  const dash = text.indexOf('-');
  const first = port(dash < 0 ? text : text.slice(0, dash), text, fail);
  const last = dash < 0 ? first : port(text.slice(dash + 1), text, fail);
  if (first > last) throw fail(`${first}-${last} runs backwards; give the lower port first`);
  return { first, last };
}

function port(text: string, around: string, fail: Fail): number {
  if (!/^[0-9]+$/.test(text)) throw fail(`${badPort(text, around)}; give ports like 80, 8000-8010 or 8080:80`);
  const value = Number(text);
  if (value > 65_535) throw fail(`port ${value} is above 65535; give a lower one`);
  return value;
}

function badPort(text: string, around: string): string {
  if (around === '') return 'a port is missing';
  if (text === '') return `'${around}' lacks an end of the range`;
  if (text === 'none') return "'none' stands alone or not at all";
  return `'${around}' is not a port`;
}
