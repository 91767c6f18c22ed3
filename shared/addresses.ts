/**
 * IP and MAC addresses: text to bytes and back, and what kind of address it is. Pure.
 *
 * An IP address is always 16 bytes in network order; IPv4 is ::ffff:a.b.c.d (RFC 4291 §2.5.5.2), so one table, one comparison
 * and one field of a message serve both families. Text that names an IPv4-mapped address in IPv6 form gives the same bytes as the
 * IPv4 address: who must refuse such text looks for a colon in it.
 */

/** 4 or 6: the family whose packets carry this address. */
export function familyOf(address: Readonly<Uint8Array>): 4 | 6 {
  for (let at = 0; at < 10; at++) {
    if (address[at] !== 0) return 6;
  }
  return address[10] === 0xff && address[11] === 0xff ? 4 : 6;
}

/** The 16-byte form of 4 or 16 network-order bytes. Throws a RangeError for any other length. */
export function addressFromBytes(bytes: Readonly<Uint8Array>): Uint8Array {
  if (bytes.length === 16) return Uint8Array.from(bytes);
  if (bytes.length !== 4) throw new RangeError(`an IP address has 4 or 16 bytes, not ${bytes.length}`);
  const address = new Uint8Array(16);
  address[10] = 0xff;
  address[11] = 0xff;
  address.set(bytes as Uint8Array, 12);
  return address;
}

/** The bytes as its own family's packets carry them: 4 or 16. */
export function packetBytes(address: Readonly<Uint8Array>): Uint8Array {
  return address.slice(familyOf(address) === 4 ? 12 : 0, 16);
}

/** Four decimal numbers 0…255 without leading zeros; null for anything else. */
export function parseIPv4(text: string): Uint8Array | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  const bytes = new Uint8Array(4);
  for (let at = 0; at < 4; at++) {
    const value = parseDecimal(parts[at] as string, 255);
    if (value < 0) return null;
    bytes[at] = value;
  }
  return addressFromBytes(bytes);
}

/** RFC 4291 §2.2, all three forms, without a scope (`%eth0`); null for anything else. */
export function parseIPv6(text: string): Uint8Array | null {
  const gap = text.indexOf('::');
  if (gap < 0) {
    const words = parseWords(text, true);
    return words !== null && words.length === 8 ? wordsToBytes(words) : null;
  }
  if (text.indexOf('::', gap + 1) >= 0) return null;
  const before = parseWords(text.slice(0, gap), false);
  const after = parseWords(text.slice(gap + 2), true);
  if (before === null || after === null || before.length + after.length > 7) return null;
  const zeros = new Array<number>(8 - before.length - after.length).fill(0);
  return wordsToBytes([...before, ...zeros, ...after]);
}

/** Either family; null when the text is neither. */
export function parseAddress(text: string): Uint8Array | null {
  return text.includes(':') ? parseIPv6(text) : parseIPv4(text);
}

/** Dotted decimal, or the canonical text of RFC 5952 §4. */
export function formatAddress(address: Readonly<Uint8Array>): string {
  if (familyOf(address) === 4) return `${address[12]}.${address[13]}.${address[14]}.${address[15]}`;
  const words: number[] = [];
  for (let at = 0; at < 16; at += 2) words.push(wordAt(address, at));
  const run = longestZeroRun(words);
  if (run.length < 2) return words.map(hex).join(':');
  const before = words.slice(0, run.start).map(hex).join(':');
  const after = words
    .slice(run.start + run.length)
    .map(hex)
    .join(':');
  return `${before}::${after}`;
}

export function sameAddress(a: Readonly<Uint8Array>, b: Readonly<Uint8Array>): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) {
    if (a[at] !== b[at]) return false;
  }
  return true;
}

/** 0.0.0.0, :: and the first address of each loopback. */
export const ANY_IPV4 = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0);
export const ANY_IPV6 = new Uint8Array(16);
export const LOOPBACK_IPV4 = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1);
export const LOOPBACK_IPV6 = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

/** 0.0.0.0 (RFC 1122 §3.2.1.3) or :: (RFC 4291 §2.5.2). */
export function isUnspecified(address: Readonly<Uint8Array>): boolean {
  const from = familyOf(address) === 4 ? 12 : 0;
  for (let at = from; at < 16; at++) {
    if (address[at] !== 0) return false;
  }
  return true;
}

/** 127.0.0.0/8 (RFC 1122 §3.2.1.3) or ::1 (RFC 4291 §2.5.3). */
export function isLoopback(address: Readonly<Uint8Array>): boolean {
  if (familyOf(address) === 4) return address[12] === 127;
  for (let at = 0; at < 15; at++) {
    if (address[at] !== 0) return false;
  }
  return address[15] === 1;
}

/** 224.0.0.0/4 (RFC 5771 §3) or ff00::/8 (RFC 4291 §2.7). */
export function isMulticast(address: Readonly<Uint8Array>): boolean {
  return familyOf(address) === 4 ? ((address[12] as number) & 0xf0) === 0xe0 : address[0] === 0xff;
}

/** 255.255.255.255 (RFC 919 §7). */
export function isLimitedBroadcast(address: Readonly<Uint8Array>): boolean {
  return familyOf(address) === 4 && address[12] === 255 && address[13] === 255 && address[14] === 255 && address[15] === 255;
}

/** 169.254.0.0/16 (RFC 3927 §2.1) or fe80::/10 (RFC 4291 §2.5.6). */
export function isLinkLocal(address: Readonly<Uint8Array>): boolean {
  if (familyOf(address) === 4) return address[12] === 169 && address[13] === 254;
  return address[0] === 0xfe && ((address[1] as number) & 0xc0) === 0x80;
}

/** ::a.b.c.d, deprecated by RFC 4291 §2.5.5.1; neither :: nor ::1. */
export function isIPv4Compatible(address: Readonly<Uint8Array>): boolean {
  for (let at = 0; at < 12; at++) {
    if (address[at] !== 0) return false;
  }
  return !isUnspecified(address) && !isLoopback(address);
}

/** True when the first `length` bits agree; `length` counts in the address's own family (0…32 or 0…128). */
export function samePrefix(a: Readonly<Uint8Array>, b: Readonly<Uint8Array>, length: number): boolean {
  if (familyOf(a) !== familyOf(b)) return false;
  let bits = familyOf(a) === 4 ? 96 + length : length;
  for (let at = 0; bits > 0; at++, bits -= 8) {
    const mask = bits >= 8 ? 0xff : (0xff << (8 - bits)) & 0xff;
    if (((a[at] as number) & mask) !== ((b[at] as number) & mask)) return false;
  }
  return true;
}

/** `255.255.255.0` ⇒ 24; null unless the ones are contiguous (RFC 4632 §5.1). */
export function parseNetmask(text: string): number | null {
  const mask = parseIPv4(text);
  if (mask === null) return null;
  const word = ((mask[12] as number) << 24) | ((mask[13] as number) << 16) | ((mask[14] as number) << 8) | (mask[15] as number);
  const host = ~word >>> 0;
  return (host & (host + 1)) === 0 ? Math.clz32(host) : null;
}

/** 24 ⇒ `255.255.255.0`; `length` 0…32. */
export function formatNetmask(length: number): string {
  const word = length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

/** Six two-digit hexadecimal bytes separated by colons, exactly 17 characters; null for anything else. */
export function parseMac(text: string): Uint8Array | null {
  if (text.length !== 17) return null;
  const mac = new Uint8Array(6);
  for (let at = 0; at < 6; at++) {
    const value = parseHex(text.slice(at * 3, at * 3 + 2));
    if (value < 0 || (at < 5 && text[at * 3 + 2] !== ':')) return null;
    mac[at] = value;
  }
  return mac;
}

export function formatMac(mac: Readonly<Uint8Array>): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** The group bit of IEEE 802 §8.2.2; broadcast has it too. */
export function isGroupMac(mac: Readonly<Uint8Array>): boolean {
  return ((mac[0] as number) & 1) !== 0;
}

/** The link-local address that a MAC address gives (RFC 4291 §2.5.6 and appendix A). */
export function linkLocalFromMac(mac: Readonly<Uint8Array>): Uint8Array {
  const [a, b, c, d, e, f] = mac as unknown as [number, number, number, number, number, number];
  return Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f);
}

function parseDecimal(text: string, most: number): number {
  if (text.length === 0 || text.length > 3 || (text.length > 1 && text[0] === '0')) return -1;
  let value = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value <= most ? value : -1;
}

function parseHex(text: string): number {
  if (text.length === 0 || text.length > 4) return -1;
  let value = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const letter = code | 0x20;
    const digit = code >= 48 && code <= 57 ? code - 48 : letter >= 97 && letter <= 102 ? letter - 87 : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/** Colon-separated words; the last one may be an IPv4 address (two words) where `mayEndInIPv4`. Empty text is no word. */
function parseWords(text: string, mayEndInIPv4: boolean): number[] | null {
  if (text === '') return [];
  const words: number[] = [];
  const parts = text.split(':');
  for (let at = 0; at < parts.length; at++) {
    const part = parts[at] as string;
    if (part.includes('.')) {
      const address = mayEndInIPv4 && at === parts.length - 1 ? parseIPv4(part) : null;
      if (address === null) return null;
      words.push(wordAt(address, 12), wordAt(address, 14));
    } else {
      const value = parseHex(part);
      if (value < 0) return null;
      words.push(value);
    }
  }
  return words;
}

function wordsToBytes(words: readonly number[]): Uint8Array {
  const address = new Uint8Array(16);
  words.forEach((word, at) => {
    address[at * 2] = word >>> 8;
    address[at * 2 + 1] = word & 255;
  });
  return address;
}

function wordAt(address: Readonly<Uint8Array>, at: number): number {
  return ((address[at] as number) << 8) | (address[at + 1] as number);
}

function hex(word: number): string {
  return word.toString(16);
}

/** RFC 5952 §4.2.3: the longest run, the first one of equals. */
function longestZeroRun(words: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let at = 0; at <= words.length; at++) {
    if (words[at] === 0) continue;
    if (at - start > best.length) best = { start, length: at - start };
    start = at + 1;
  }
  return best;
}
