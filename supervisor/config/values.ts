/**
 * Values of options: text to value, or a UsageError that names the option, the value and the cure.
 */
import {
  familyOf,
  formatAddress,
  isGroupMac,
  isIPv4Compatible,
  isLimitedBroadcast,
  isLoopback,
  isMulticast,
  isUnspecified,
  parseIPv4,
  parseIPv6,
  parseMac,
  parseNetmask,
} from '../../shared/addresses.ts';
import { MAX_MTU, MAX_TIMEOUT, MIN_TIMEOUT } from '../../shared/limits.ts';
import { UsageError } from '../usage-error.ts';

/** Kinds of address that an option may refuse. */
export type Refused = 'unspecified' | 'loopback' | 'multicast' | 'broadcast';

const REFUSALS: Readonly<Record<Refused, { test(address: Uint8Array): boolean; text: string }>> = {
  unspecified: { test: isUnspecified, text: 'is the unspecified address' },
  loopback: { test: isLoopback, text: 'is a loopback address' },
  multicast: { test: isMulticast, text: 'is a multicast address' },
  broadcast: { test: isLimitedBroadcast, text: 'is the broadcast address' },
};

/** Bytes of a socket's path, without the NUL (unix(7)). */
const MAX_SOCKET_PATH = 107;

/** `option` with its dashes, as in `--address`. */
export function wrong(option: string, value: string, cure: string): UsageError {
  return new UsageError(`${option} '${value}': ${cure}`);
}

/** An IPv4 or IPv6 address that is none of `refused`. IPv6 forms of IPv4 addresses are refused: one address, one text. */
export function addressValue(option: string, text: string, refused: readonly Refused[]): Uint8Array {
  const address = parseIPv4(text) ?? parseIPv6(text);
  if (address === null) throw wrong(option, text, badAddress(text));
  if (text.includes(':') && (familyOf(address) === 4 || isIPv4Compatible(address))) {
    throw wrong(option, text, `is an IPv4 address in IPv6 form; write ${formatAddress(embedded(address))}`);
  }
  for (const kind of refused) {
    if (REFUSALS[kind].test(address)) throw wrong(option, text, `${REFUSALS[kind].text}; give a unicast address`);
  }
  return address;
}

function embedded(address: Uint8Array): Uint8Array {
  const mapped = Uint8Array.from(address);
  mapped.fill(0xff, 10, 12);
  return mapped;
}

function badAddress(text: string): string {
  if (text.includes('%')) return 'has a scope; give the address alone';
  if (text.includes('/')) return 'has a prefix length; give the address alone';
  return 'is not an IP address; give it as 192.0.2.1 or 2001:db8::1';
}

export interface AddressWithPrefix {
  readonly address: Uint8Array;
  /** null when none was given. */
  readonly prefixLength: number | null;
}

/** ADDRESS[/LENGTH] of the guest. */
export function guestAddressValue(option: string, text: string): AddressWithPrefix {
  const slash = text.indexOf('/');
  const bare = slash < 0 ? text : text.slice(0, slash);
  const address = addressValue(option, bare, ['unspecified', 'loopback', 'multicast', 'broadcast']);
  if (slash < 0) return { address, prefixLength: null };
  const [least, most] = familyOf(address) === 4 ? [1, 32] : [0, 128];
  const prefixLength = decimal(text.slice(slash + 1));
  if (prefixLength === null || prefixLength < least || prefixLength > most) {
    throw wrong(option, text, `the prefix length must be a number from ${least} to ${most}`);
  }
  return { address, prefixLength };
}

/** `255.255.255.0` or `24`; 1…32. */
export function netmaskValue(option: string, text: string): number {
  const length = text.includes('.') ? parseNetmask(text) : decimal(text);
  if (length === null || length < 1 || length > 32) {
    const cure = 'give a number of bits from 1 to 32, or a contiguous mask like 255.255.255.0';
    throw wrong(option, text, cure);
  }
  return length;
}

/** Bytes, 0…65521; decimal, 0x… or 0… as C reads them. 0 = do not advertise one. */
export function mtuValue(option: string, text: string): number {
  const value = cNumber(text);
  if (value === null) throw wrong(option, text, `is not a number; give bytes from 0 to ${MAX_MTU}`);
  if (value > MAX_MTU) throw wrong(option, text, `is too large; the largest MTU is ${MAX_MTU}`);
  return value;
}

/** Seconds, with a fraction or without, as milliseconds. `zero` says what 0 means; null = 0 is refused. */
export function secondsValue(option: string, text: string, zero: string | null): number {
  const [least, most] = [MIN_TIMEOUT / 1000, MAX_TIMEOUT / 1000];
  const seconds = /^[0-9]{1,15}(\.[0-9]{1,9})?$/.test(text) ? Number(text) : null;
  const cure = `give seconds from ${least} to ${most}${zero === null ? '' : `, or 0 for ${zero}`}`;
  if (seconds === null) throw wrong(option, text, `is not a number of seconds; ${cure}`);
  if (seconds === 0 && zero !== null) return 0;
  if (seconds < least) throw wrong(option, text, `is too short; ${cure}`);
  if (seconds > most) throw wrong(option, text, `is too long; ${cure}`);
  return Math.round(seconds * 1000);
}

/** The classful default of RFC 791 §3.2 for an address without a prefix length. */
export function classPrefixLength(address: Readonly<Uint8Array>): number {
  const first = address[12] as number;
  if (first < 128) return 8;
  if (first < 192) return 16;
  return first < 224 ? 24 : 32;
}

/** An individual MAC address. */
export function macValue(option: string, text: string): Uint8Array {
  const mac = parseMac(text);
  if (mac === null) throw wrong(option, text, 'is not a MAC address; give six bytes like 9a:55:9a:55:9a:55');
  if (isGroupMac(mac)) throw wrong(option, text, 'is a multicast MAC address; the first byte must be even');
  if (mac.every((byte) => byte === 0)) throw wrong(option, text, 'is the empty MAC address; give another one');
  return mac;
}

/** Bytes of a path with its NUL (limits.h: PATH_MAX). */
const MAX_PATH = 4096;

/** A path for a file. */
export function pathValue(option: string, text: string): string {
  if (text === '') throw wrong(option, text, 'is no path; give that of a file');
  if (Buffer.byteLength(text) >= MAX_PATH)
    throw wrong(option, `${text.slice(0, 20)}…`, `is too long; a path has less than ${MAX_PATH} bytes`);
  return text;
}

/** A path for a UNIX socket. */
export function socketPathValue(option: string, text: string): string {
  const length = Buffer.byteLength(text);
  if (length === 0) throw wrong(option, text, 'is no path; give one of a file that does not exist yet');
  if (length > MAX_SOCKET_PATH)
    throw wrong(option, text, `has ${length} bytes, a socket's path ${MAX_SOCKET_PATH} at most; give a shorter one`);
  return text;
}

/** A name that the kernel takes for an interface: 1…15 bytes, no slash, colon or blank, not `.` or `..`. */
export function interfaceValue(option: string, text: string): string {
  if (Buffer.byteLength(text) > 15) throw wrong(option, text, 'is too long; an interface name has at most 15 bytes');
  if (text === '' || text === '.' || text === '..' || hasAny(text, '/: \t\n\v\f\r')) {
    throw wrong(option, text, 'is not an interface name; it has 1 to 15 bytes without blanks, slashes and colons');
  }
  return text;
}

/** A host or domain name: at most 253 bytes of letters, digits, `-`, `_` and `.`; labels are not empty and do not begin with `-`. */
export function hostnameValue(option: string, text: string): string {
  if (text.length > 253) throw wrong(option, text, 'is too long; a name has at most 253 characters');
  if (!isName(text)) throw wrong(option, text, 'is not a host name; use letters, digits, - and . only');
  return text;
}

/** Search domains of 1…1023 characters, with blanks between them: at least one. */
export function searchValue(option: string, text: string): string[] {
  const domains = text.split(/\s+/).filter((domain) => domain !== '');
  if (domains.length === 0) throw wrong(option, text, "is not a domain; give one, or 'none' for none");
  const long = domains.find((domain) => domain.length > 1023);
  if (long !== undefined) throw wrong(option, `${long.slice(0, 20)}…`, 'is too long; a domain has at most 1023 characters');
  return domains;
}

function isName(text: string): boolean {
  return text.split('.').every((label) => /^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$/.test(label));
}

function hasAny(text: string, characters: string): boolean {
  for (const character of text) {
    if (characters.includes(character)) return true;
  }
  return false;
}

/** A plain decimal number of at most 15 digits; null otherwise. */
export function decimal(text: string): number | null {
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : null;
}

function cNumber(text: string): number | null {
  if (/^0[xX][0-9a-fA-F]{1,8}$/.test(text)) return Number.parseInt(text, 16);
  if (/^0[0-7]{1,10}$/.test(text)) return Number.parseInt(text, 8);
  return text.startsWith('0') && text !== '0' ? null : decimal(text);
}
