/**
 * What the guest is told about names: DNS servers and search list. Facts, set at the start and again when the host's resolv.conf changes.
 *
 * What was told by a router advertisement holds until it is withdrawn (RFC 8106 §5.1), so the last of what is no longer true is kept.
 */
import { equalWords, MAPPED_WORD, setWords } from '../wire/address.ts';
import { compressNames, encodeNames, type EncodedNames } from '../wire/domain-name.ts';

const WORDS = 4;
const MOST_SERVERS = 3;
const MOST_FORMER = 6;
const NO_NAMES: EncodedNames = { bytes: new Uint8Array(0), ends: [] };

/** IPv4 servers, an int32 word each. */
export const servers4 = new Int32Array(MOST_SERVERS);
export let server4Count = 0;
/** IPv6 servers, four words each. */
export const servers6 = new Int32Array(MOST_SERVERS * WORDS);
export let server6Count = 0;
/** The search list with names in full (DHCPv6, router advertisements), and compressed (DHCP). */
export let searchList = NO_NAMES;
export let compressedSearchList = NO_NAMES;

/** IPv6 servers and names, in full, that were told before and are not told any more. */
export const formerServers6 = new Int32Array(MOST_SERVERS * WORDS);
export let formerServer6Count = 0;
export let formerSearchList = NO_NAMES;

let search: readonly string[] = [];
let formerSearch: readonly string[] = [];

/** Nothing has been told yet. */
export function openNames(): void {
  server4Count = 0;
  server6Count = 0;
  formerServer6Count = 0;
  search = [];
  formerSearch = [];
  searchList = NO_NAMES;
  compressedSearchList = NO_NAMES;
  formerSearchList = NO_NAMES;
}

/**
 * Sets the facts. `servers` are 16 bytes each, in the order of preference; of each family three are kept. Whether router advertisements say
 * something else from now on.
 */
export function setNames(servers: readonly Uint8Array[], domains: readonly string[]): boolean {
  const before = [...servers6.subarray(0, WORDS * server6Count), ...search].join();
  const words = new Int32Array(WORDS);
  const told = [...serversIn(servers6, server6Count), ...serversIn(formerServers6, formerServer6Count)];
  server4Count = 0;
  server6Count = 0;
  for (const server of servers) {
    setWords(words, server);
    if (words[0] === 0 && words[1] === 0 && words[2] === MAPPED_WORD) {
      if (server4Count < MOST_SERVERS) servers4[server4Count++] = words[3] as number;
    } else if (server6Count < MOST_SERVERS) servers6.set(words, WORDS * server6Count++);
  }
  const former = told.filter((server) => serversIn(servers6, server6Count).every((now) => !equalWords(server, 0, now, 0)));
  formerServer6Count = Math.min(former.length, MOST_SERVERS);
  for (let index = 0; index < formerServer6Count; index++) formerServers6.set(former[index] as Int32Array, WORDS * index);
  formerSearch = [...new Set([...search, ...formerSearch])].filter((name) => !domains.includes(name)).slice(0, MOST_FORMER);
  search = domains;
  searchList = encodeNames(domains);
  compressedSearchList = compressNames(domains);
  formerSearchList = encodeNames(formerSearch);
  return before !== [...servers6.subarray(0, WORDS * server6Count), ...search].join();
}

function serversIn(list: Int32Array, count: number): Int32Array[] {
  return Array.from({ length: count }, (_, index) => list.slice(WORDS * index, WORDS * (index + 1)));
}
