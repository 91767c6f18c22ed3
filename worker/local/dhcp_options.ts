/**
 * What a DHCP client is told, in which order, and what of it fits.
 *
 * The message's type comes first, then what the client's list asks for in its order (RFC 2132 §9.8), then the rest: a client may need
 * what it did not ask for, and ignores what it does not know. What a lease can't be without has its room reserved; of all else, what does
 * not fit is left out. The values are made in a buffer of our own, one after the other, and are never larger than that.
 */
import { setWords } from '../wire/address.ts';
import { encodeName } from '../wire/domain-name.ts';
import { BOOTP_MESSAGE, DHCP_HEADER } from '../wire/dhcp.ts';
import * as option from '../wire/dhcp_option.ts';
import { compressedSearchList, server4Count, servers4 } from './names.ts';

/** What the answers are made of. Addresses are 16 bytes in network order, IPv4 as ::ffff:a.b.c.d. */
export interface DhcpFacts {
  dhcp: boolean;
  /** The guest's, and the bits of its prefix. */
  guestAddress4: Uint8Array;
  prefixLength4: number;
  /** Our address on the link, and the server's identifier. */
  gateway4: Uint8Array;
  /** 0 = not told. */
  advertisedMtu: number;
  /** Empty = not told. */
  hostname: string;
  fqdn: string;
  /** Seconds after which the client asks again, 0 = never: the address is for ever. */
  renewal4: number;
}

/** The kind of reply, beside the types of DHCP. */
export const BOOTP = 0;

const INFINITE = -1;
/** A lease is renewed so many times before it would end: whoever does not look at RENEWAL_TIME asks after half of it. */
const RENEWALS = 12;
/** RFC 2132 §5.1. */
const LEAST_MTU = 68;
/** RFC 4702 §2.2: deprecated fields, which are to have this value. */
const RCODE = 255;
const REFUSAL = 'this is not an address of yours here';

/** In the order of what is told to those who did not ask for it. */
const TOLD = [
  option.MESSAGE_TYPE,
  option.SERVER_IDENTIFIER,
  option.LEASE_TIME,
  option.RENEWAL_TIME,
  option.REBINDING_TIME,
  option.SUBNET_MASK,
  option.ROUTER,
  option.CLASSLESS_ROUTES,
  option.DNS_SERVERS,
  option.INTERFACE_MTU,
  option.HOST_NAME,
  option.RAPID_COMMIT,
  option.CLIENT_IDENTIFIER,
  option.CLIENT_FQDN,
  option.SEARCH_LIST,
  option.MESSAGE,
];
/** Together at most 303 bytes, of which every client takes 308 (RFC 2131 §2). */
const REQUIRED = [
  option.MESSAGE_TYPE,
  option.SERVER_IDENTIFIER,
  option.LEASE_TIME,
  option.SUBNET_MASK,
  option.ROUTER,
  option.CLASSLESS_ROUTES,
  option.RAPID_COMMIT,
  option.CLIENT_IDENTIFIER,
];
/** Of a refusal (RFC 2131 §4.3.1, table 3; RFC 6842 §3). */
const REFUSED = [option.MESSAGE_TYPE, option.SERVER_IDENTIFIER, option.CLIENT_IDENTIFIER, option.MESSAGE];
/** What BOOTP clients don't know (RFC 1534 §2). */
const DHCP_ONLY = [
  option.MESSAGE_TYPE,
  option.SERVER_IDENTIFIER,
  option.LEASE_TIME,
  option.RENEWAL_TIME,
  option.REBINDING_TIME,
  option.RAPID_COMMIT,
  option.CLIENT_IDENTIFIER,
];

const isTold = new Uint8Array(256);
const isRequired = new Uint8Array(256);
const isRefused = new Uint8Array(256);
const isDhcpOnly = new Uint8Array(256);
for (const [marks, codes] of [
  [isTold, TOLD],
  [isRequired, REQUIRED],
  [isRefused, REFUSED],
  [isDhcpOnly, DHCP_ONLY],
] as const)
  for (const code of codes) marks[code] = 1;

/** The address to give, and our own, which is the server's identifier; int32. */
export let address = 0;
export let gateway = 0;
let mask = 0;
let mtu = 0;
let renewal = 0;
let isGatewayOnLink = true;
let hostname = new Uint8Array(0);
let fqdn = new Uint8Array(0);
let fqdnText = new Uint8Array(0);
const refusal = asciiOf(REFUSAL);

const value = new Uint8Array(2048);
const done = new Uint8Array(256);
let kind = 0;
let leases = false;
let commits = false;
let asksRoutes = false;
let at = 0;
let limit = 0;
let reserved = 0;

function asciiOf(text: string): Uint8Array<ArrayBuffer> {
  const ascii = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) ascii[index] = text.charCodeAt(index);
  return ascii;
}

/** Sets the facts, at the start and when the host has changed. */
export function setTold(facts: DhcpFacts): void {
  const words = new Int32Array(4);
  mask = facts.prefixLength4 === 0 ? 0 : (-1 << (32 - facts.prefixLength4)) | 0;
  mtu = facts.advertisedMtu;
  renewal = facts.renewal4;
  setWords(words, facts.guestAddress4);
  address = words[3] as number;
  setWords(words, facts.gateway4);
  gateway = words[3] as number;
  isGatewayOnLink = ((address ^ gateway) & mask) === 0;
  hostname = asciiOf(facts.hostname);
  fqdn = Uint8Array.from(encodeName(facts.fqdn));
  fqdnText = asciiOf(facts.fqdn);
}

function putWord(index: number, word: number): void {
  value[index] = word >>> 24;
  value[index + 1] = word >>> 16;
  value[index + 2] = word >>> 8;
  value[index + 3] = word;
}

function wordValue(word: number): number {
  putWord(0, word);
  return 4;
}

function bytesValue(source: Uint8Array, length: number): number {
  for (let index = 0; index < length; index++) value[index] = source[index] as number;
  return length;
}

function serversValue(): number {
  for (let server = 0; server < server4Count; server++) putWord(4 * server, servers4[server] as number);
  return server4Count === 0 ? -1 : 4 * server4Count;
}

/** RFC 2132 §9.14, RFC 6842 §3: as the client wrote it. */
function identifierValue(): number {
  const length = option.optionLength(option.CLIENT_IDENTIFIER);
  for (let index = 0; index < length; index++) value[index] = option.optionByte(option.CLIENT_IDENTIFIER, index);
  return length;
}

/**
 * RFC 4702 §2.1, §4: the name is as we know it and nobody's DNS is updated by us; whoever wanted that is overridden. The encoding is the
 * client's.
 */
function fqdnValue(): number {
  if (fqdn.length === 0) return -1;
  const asked = option.optionLength(option.CLIENT_FQDN) > 0 ? option.optionByte(option.CLIENT_FQDN, 0) : option.FQDN_ENCODED;
  const overridden = (asked & option.FQDN_SERVER_UPDATES) === 0 ? 0 : option.FQDN_OVERRIDDEN;
  const encoding = asked & option.FQDN_ENCODED;
  const name = encoding === 0 ? fqdnText : fqdn;
  value[0] = option.FQDN_NO_UPDATES | overridden | encoding;
  value[1] = RCODE;
  value[2] = RCODE;
  for (let index = 0; index < name.length; index++) value[3 + index] = name[index] as number;
  return 3 + name.length;
}

/** As many domains as there is room for: the list is one value. */
function searchValue(): number {
  const room = limit - at - reserved;
  const { bytes, ends } = compressedSearchList;
  for (let index = ends.length - 1; index >= 0; index--)
    if (option.optionBytes(ends[index] as number) <= room) return bytesValue(bytes, ends[index] as number);
  return -1;
}

/** RFC 3442: a gateway that the mask leaves outside is reached on the link, and all else through it. */
function routesValue(): number {
  if (isGatewayOnLink) return -1;
  value[0] = 32;
  putWord(1, gateway);
  putWord(5, 0);
  value[9] = 0;
  putWord(10, gateway);
  return 14;
}

/** Puts the value of an option into `value`, and returns its length; -1 = it is not told in this reply. */
function makeValue(code: number): number {
  switch (code) {
    case option.MESSAGE_TYPE:
      value[0] = kind;
      return 1;
    case option.SERVER_IDENTIFIER:
      return wordValue(gateway);
    case option.LEASE_TIME:
      return leases ? wordValue(renewal === 0 ? INFINITE : RENEWALS * renewal) : -1;
    case option.RENEWAL_TIME:
      return leases && renewal > 0 ? wordValue(renewal) : -1;
    case option.REBINDING_TIME:
      // RFC 2131 §4.4.5.
      return leases && renewal > 0 ? wordValue((7 * RENEWALS * renewal) >>> 3) : -1;
    case option.SUBNET_MASK:
      return wordValue(mask);
    case option.ROUTER:
      // RFC 3442: not beside the routes, if the client knows of those.
      return asksRoutes && !isGatewayOnLink ? -1 : wordValue(gateway);
    case option.CLASSLESS_ROUTES:
      return routesValue();
    case option.DNS_SERVERS:
      return serversValue();
    case option.INTERFACE_MTU:
      value[0] = mtu >>> 8;
      value[1] = mtu;
      return mtu < LEAST_MTU ? -1 : 2;
    case option.HOST_NAME:
      return hostname.length === 0 ? -1 : bytesValue(hostname, hostname.length);
    case option.RAPID_COMMIT:
      return commits ? 0 : -1;
    case option.CLIENT_IDENTIFIER:
      return identifierValue();
    case option.CLIENT_FQDN:
      return fqdnValue();
    case option.SEARCH_LIST:
      return searchValue();
    case option.MESSAGE:
      return kind === option.NAK ? bytesValue(refusal, refusal.length) : -1;
    default:
      return -1;
  }
}

function isWanted(code: number): boolean {
  if (kind === BOOTP) return isTold[code] === 1 && isDhcpOnly[code] === 0;
  return (kind === option.NAK ? isRefused[code] : isTold[code]) === 1;
}

function tell(code: number): void {
  if (done[code] === 1 || !isWanted(code)) return;
  done[code] = 1;
  const length = makeValue(code);
  if (length < 0) return;
  const size = option.optionBytes(length);
  if (isRequired[code] === 1) reserved -= size;
  else if (at + size + reserved > limit) return;
  at = option.writeOption(at, code, value, length);
}

/** Bytes of the options that must have room. */
function requiredBytes(): number {
  let sum = 0;
  for (let index = 0; index < REQUIRED.length; index++) {
    const code = REQUIRED[index] as number;
    const length = isWanted(code) ? makeValue(code) : -1;
    if (length >= 0) sum += option.optionBytes(length);
  }
  return sum;
}

/**
 * Writes the options of the reply whose message begins at `message` and may have `most` bytes, and returns the bytes that it has. `type` is
 * a message's type or BOOTP; `lease` and `rapid` say what is with it. The request's options were read.
 */
export function writeOptions(message: number, most: number, type: number, lease: boolean, rapid: boolean): number {
  kind = type;
  leases = lease;
  commits = rapid;
  const listed = Math.min(option.optionLength(option.PARAMETER_LIST), option.MOST_BYTES);
  asksRoutes = false;
  for (let index = 0; index < listed; index++) asksRoutes ||= option.optionByte(option.PARAMETER_LIST, index) === option.CLASSLESS_ROUTES;
  done.fill(0);
  at = message + DHCP_HEADER;
  // One byte is for the end.
  limit = message + most - 1;
  reserved = requiredBytes();
  tell(option.MESSAGE_TYPE);
  for (let index = 0; index < listed; index++) tell(option.optionByte(option.PARAMETER_LIST, index));
  for (let index = 0; index < TOLD.length; index++) tell(TOLD[index] as number);
  return option.endOptions(at, message + BOOTP_MESSAGE) - message;
}
