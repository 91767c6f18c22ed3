/**
 * Kinds of addresses. IPv4 is one int32 word; IPv6 is four of them in a column, from index `at`; each as read in network order
 * (`getInt32`).
 * Where both are stored alike, IPv4 is ::ffff:a.b.c.d: words 0, 0, `MAPPED_WORD`, address.
 */

/** Word 2 of an IPv4-mapped address (RFC 4291 §2.5.5.2). */
export const MAPPED_WORD = 0x0000ffff;

/** 0.0.0.0 */
export function isUnspecified4(word: number): boolean {
  return word === 0;
}

/** 127.0.0.0/8 (RFC 1122 §3.2.1.3 (g)) */
export function isLoopback4(word: number): boolean {
  return word >>> 24 === 127;
}

/** 224.0.0.0/4 (RFC 1112 §4) */
export function isMulticast4(word: number): boolean {
  return word >>> 28 === 0xe;
}

/** 255.255.255.255; the broadcast of a subnet can't be told without its mask. */
export function isBroadcast4(word: number): boolean {
  return word === -1;
}

/** 169.254.0.0/16 (RFC 3927 §2.1) */
export function isLinkLocal4(word: number): boolean {
  return word >>> 16 === 0xa9fe;
}

/** :: */
export function isUnspecified6(words: Int32Array, at: number): boolean {
  return words[at] === 0 && words[at + 1] === 0 && words[at + 2] === 0 && words[at + 3] === 0;
}

/** ::1 */
export function isLoopback6(words: Int32Array, at: number): boolean {
  return words[at] === 0 && words[at + 1] === 0 && words[at + 2] === 0 && words[at + 3] === 1;
}

/** Whether the four words are an address of the loopback of that family. */
export function isLoopback(words: Int32Array, at: number, family: number): boolean {
  return family === 4 ? isLoopback4(words[at + 3]!) : isLoopback6(words, at);
}

/** ff00::/8 (RFC 4291 §2.7) */
export function isMulticast6(words: Int32Array, at: number): boolean {
  return (words[at] as number) >>> 24 === 0xff;
}

/** fe80::/10 (RFC 4291 §2.5.6) */
export function isLinkLocal6(words: Int32Array, at: number): boolean {
  return (words[at] as number) >>> 22 === 0x3fa;
}

/** ::ffff:0:0/96: IPv4 in the stored form, and never to be believed in an IPv6 header. */
export function isMapped(words: Int32Array, at: number): boolean {
  return words[at] === 0 && words[at + 1] === 0 && words[at + 2] === MAPPED_WORD;
}

/** Whether there is an address in four words, of which neither :: nor 0.0.0.0 is one. */
export function isSet(words: Int32Array, at: number): boolean {
  return words[at + 3] !== 0 || words[at] !== 0 || words[at + 1] !== 0;
}

/** 127.0.0.1 as it is stored, and ::1. */
export const LOOPBACK4 = new Int32Array([0, 0, MAPPED_WORD, 0x7f000001]);
export const LOOPBACK6 = new Int32Array([0, 0, 0, 1]);

/** Whether four words of `a` from `i` equal those of `b` from `j`. */
export function equalWords(a: Int32Array, i: number, b: Int32Array, j: number): boolean {
  return a[i + 3] === b[j + 3] && a[i + 2] === b[j + 2] && a[i + 1] === b[j + 1] && a[i] === b[j];
}

/** Stores 16 bytes in network order as four words of `words`; any other length leaves the address unset (all zero). For the start only. */
export function setWords(words: Int32Array, address: Uint8Array): void {
  words.fill(0);
  if (address.length !== 16) return;
  const from = new DataView(address.buffer, address.byteOffset, address.byteLength);
  for (let word = 0; word < 4; word++) words[word] = from.getInt32(word * 4);
}
