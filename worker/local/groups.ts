/**
 * Which groups the guest is in, and whose packets to them it lets in (RFC 3376 §3.1, RFC 3810 §3).
 *
 * Theory of operation. A list of at most MAX_MEMBERSHIPS groups; what the guest joins beyond them is counted. A group lets in everybody, or
 * some sources only, of which MAX_SOURCES are kept: with more it is taken as open to everybody, until the guest says that it leaves. A
 * group that lets in nobody is left. Nothing is joined on the host because of an entry: this is what a relay will ask for.
 */
import { Counter } from '../../shared/counters.ts';
import { MAX_MEMBERSHIPS, MAX_SOURCES } from '../../shared/limits.ts';
import { LogLevel, MessageId } from '../../shared/messages.ts';
import { log } from '../flow/journal.ts';
import { counters } from '../link/counters.ts';
import { equalWords } from '../wire/address.ts';

const WORDS = 4;
const LIST = MAX_SOURCES * WORDS;
const EVERYBODY = -1;

const groups = new Int32Array(MAX_MEMBERSHIPS * WORDS);
/** Of each group: EVERYBODY, or how many of its `sources` are let in. */
const admitted = new Int32Array(MAX_MEMBERSHIPS);
const sources = new Int32Array(MAX_MEMBERSHIPS * LIST);

/** How many groups the guest is in. */
export let memberships = 0;

/** Forgets all groups: another guest. */
export function openMemberships(): void {
  memberships = 0;
}

function indexOf(words: Int32Array, at: number): number {
  for (let index = 0; index < memberships; index++) if (equalWords(groups, index * WORDS, words, at)) return index;
  return -1;
}

/** Whether the guest is in the group in four words of `words` from `at` (IPv4 as ::ffff:a.b.c.d). */
export function isMember(words: Int32Array, at: number): boolean {
  return indexOf(words, at) >= 0;
}

function tell(joined: number, group: Int32Array): void {
  log(LogLevel.DEBUG, MessageId.MEMBERSHIP, 6, joined, memberships, group[0]!, group[1]!, group[2]!, group[3]!);
}

/** The group's index, a new entry that lets in nobody if need be; −1 when there is no room. */
function take(group: Int32Array): number {
  const index = indexOf(group, 0);
  if (index >= 0) return index;
  if (memberships === MAX_MEMBERSHIPS) {
    counters[Counter.memberships_refused]!++;
    return -1;
  }
  groups.set(group, memberships * WORDS);
  admitted[memberships++] = 0;
  tell(1, group);
  return memberships - 1;
}

/** The guest lets in everybody in the four words of `group`. */
export function join(group: Int32Array): void {
  const index = take(group);
  if (index >= 0) admitted[index] = EVERYBODY;
}

/** The guest leaves the group; the last entry takes the place. */
export function leave(group: Int32Array): void {
  const index = indexOf(group, 0);
  if (index < 0) return;
  const last = --memberships;
  groups.copyWithin(index * WORDS, last * WORDS, (last + 1) * WORDS);
  sources.copyWithin(index * LIST, last * LIST, (last + 1) * LIST);
  admitted[index] = admitted[last]!;
  tell(0, group);
}

function sourceOf(index: number, source: Int32Array): number {
  for (let at = 0; at < admitted[index]!; at++) if (equalWords(sources, index * LIST + at * WORDS, source, 0)) return at;
  return -1;
}

/** The guest lets in the source, too. */
export function admit(group: Int32Array, source: Int32Array): void {
  const index = take(group);
  if (index < 0 || admitted[index] === EVERYBODY || sourceOf(index, source) >= 0) return;
  if (admitted[index] === MAX_SOURCES) {
    admitted[index] = EVERYBODY;
    return;
  }
  sources.set(source, index * LIST + admitted[index]! * WORDS);
  admitted[index]!++;
}

/** The guest does not let in the source any more; with the last one it leaves. */
export function block(group: Int32Array, source: Int32Array): void {
  const index = indexOf(group, 0);
  if (index < 0) return;
  const at = sourceOf(index, source);
  if (at < 0) return;
  const list = index * LIST;
  const last = --admitted[index]!;
  sources.copyWithin(list + at * WORDS, list + last * WORDS, list + (last + 1) * WORDS);
  if (last === 0) leave(group);
}
