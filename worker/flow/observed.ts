/**
 * Under which addresses the guest is known: those it was given, until it speaks from others, or is given another one. What comes to a
 * forwarded port goes there.
 */
import {
  equalWords,
  isBroadcast4,
  isLinkLocal6,
  isLoopback4,
  isLoopback6,
  isMulticast4,
  isMulticast6,
  isUnspecified6,
  MAPPED_WORD,
  setWords,
} from '../wire/address.ts';
import { key, KEY_GUEST } from './table.ts';

const WORDS = 4;
const observed4 = new Int32Array(WORDS);
const observed6 = new Int32Array(WORDS);
const observedLinkLocal = new Int32Array(WORDS);

/** What the guest was given; 16 bytes each, or empty. */
export function setObserved(facts: { guestAddress4: Uint8Array; guestAddress6: Uint8Array }): void {
  setWords(observed4, facts.guestAddress4);
  setWords(observed6, facts.guestAddress6);
  observedLinkLocal.fill(0);
}

function observe4(address: number): void {
  if (address === 0 || isLoopback4(address) || isMulticast4(address) || isBroadcast4(address)) return;
  observed4[2] = MAPPED_WORD;
  observed4[3] = address;
}

function observe6(): void {
  if (isUnspecified6(key, KEY_GUEST) || isLoopback6(key, KEY_GUEST) || isMulticast6(key, KEY_GUEST)) return;
  const known = isLinkLocal6(key, KEY_GUEST) ? observedLinkLocal : observed6;
  for (let word = 0; word < WORDS; word++) known[word] = key[KEY_GUEST + word]!;
}

/** The guest has spoken from the address in `key`. */
export function observe(family: number): void {
  if (family === 4) {
    if (key[KEY_GUEST + 3] !== observed4[3]) observe4(key[KEY_GUEST + 3]!);
  } else if (!equalWords(key, KEY_GUEST, observed6, 0)) observe6();
}

/** The guest has been given this IPv4 address; it may be silent for long. */
export function observeGiven4(address: number): void {
  observe4(address);
}

/** The same of the IPv6 address in four words of `words`, which is one for hosts beyond the link. */
export function observeGiven6(words: Int32Array): void {
  for (let word = 0; word < WORDS; word++) observed6[word] = words[word]!;
}

/**
 * Puts the guest into `key`. Who comes from the link itself asks for the guest's address there, if that has told one; everybody else for
 * its global one, which services are mostly bound to. For a connection it counts who has come, since it stays where it was made; for
 * datagrams whom the guest sees, since its kernel answers one of the link from its address there. False when it has none.
 */
export function addressGuest(family: number, fromLink: boolean): boolean {
  const onLink = fromLink && !isUnspecified6(observedLinkLocal, 0);
  const known = family === 4 ? observed4 : onLink ? observedLinkLocal : observed6;
  for (let word = 0; word < WORDS; word++) key[KEY_GUEST + word] = known[word]!;
  return !isUnspecified6(known, 0);
}
