/**
 * What the guest is told about names: DNS servers and search list. Facts, set at the start and again when the host's resolv.conf changes.
 */
import { MAPPED_WORD, setWords } from '../wire/address.ts';
import { compressNames, encodeNames, type EncodedNames } from '../wire/domain-name.ts';

const WORDS = 4;
const MOST_SERVERS = 3;
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

/** Sets the facts. `servers` are 16 bytes each, in the order of preference; of each family three are kept. */
export function setNames(servers: readonly Uint8Array[], search: readonly string[]): void {
  const words = new Int32Array(WORDS);
  server4Count = 0;
  server6Count = 0;
  for (const server of servers) {
    setWords(words, server);
    if (words[0] === 0 && words[1] === 0 && words[2] === MAPPED_WORD) {
      if (server4Count < MOST_SERVERS) servers4[server4Count++] = words[3] as number;
    } else if (server6Count < MOST_SERVERS) servers6.set(words, WORDS * server6Count++);
  }
  searchList = encodeNames(search);
  compressedSearchList = compressNames(search);
}
