/**
 * DHCPv6 messages (RFC 8415 §8) and options (§21).
 *
 *     | msg-type (1) | transaction-id (3) | options: | code (2) | length (2) | value … | …
 *
 * A message is checked once, with what is nested in it; later walks over its options trust that. Every walk advances by 4 bytes at least.
 */
import { view } from './memory.ts';

/** Ports. */
export const DHCPV6_CLIENT = 546;
export const DHCPV6_SERVER = 547;

/** Bytes before the options, and of an option before its value. */
export const DHCPV6_HEADER = 4;
export const OPTION_HEADER = 4;

/** Types of messages (RFC 8415 §7.3). */
export const SOLICIT = 1;
export const ADVERTISE = 2;
export const REQUEST = 3;
export const CONFIRM = 4;
export const RENEW = 5;
export const REBIND = 6;
export const REPLY = 7;
export const RELEASE = 8;
export const DECLINE = 9;
export const INFORMATION_REQUEST = 11;

export const CLIENT_IDENTIFIER = 1;
export const SERVER_IDENTIFIER = 2;
export const IA_NA = 3;
export const IA_TA = 4;
export const IA_ADDRESS = 5;
export const OPTION_REQUEST = 6;
export const PREFERENCE = 7;
export const STATUS_CODE = 13;
export const RAPID_COMMIT = 14;
export const DNS_SERVERS = 23;
export const SEARCH_LIST = 24;
export const IA_PD = 25;
export const REFRESH_TIME = 32;
export const CLIENT_FQDN = 39;

/** Codes of status (RFC 8415 §21.13). */
export const SUCCESS = 0;
export const NO_ADDRESSES = 2;
export const NO_BINDING = 3;
export const NOT_ON_LINK = 4;
export const USE_MULTICAST = 5;
export const NO_PREFIXES = 6;

/** Flags of the client's full name (RFC 4704 §4.1). */
export const FQDN_SERVER_UPDATES = 1;
export const FQDN_OVERRIDDEN = 2;
export const FQDN_NO_UPDATES = 4;

/** Bytes of an identity association before its options: identifier, T1, T2; those of temporary addresses have no times. */
export const IA_HEADER = 12;
const IA_TA_HEADER = 4;
/** Bytes of an address before its options: address, preferred and valid lifetime. */
export const IA_ADDRESS_HEADER = 24;
/** RFC 8415 §11.1: type and identifier. */
const LEAST_DUID = 3;
const MOST_DUID = 130;

/** After `readMessage`: offset and bytes of the value of an option that a message has once; the offset is −1 where it has none. */
export let clientAt = -1;
export let clientLength = 0;
export let serverAt = -1;
export let serverLength = 0;
export let requestAt = -1;
export let requestLength = 0;
/** Offset of the flags of the client's full name. */
export let fqdnAt = -1;
export let wantsRapidCommit = false;
/** How many identity associations the message has, of any kind. */
export let associations = 0;

export function messageType(at: number): number {
  return view.getUint8(at);
}

export function optionCode(at: number): number {
  return view.getUint16(at);
}

/** Bytes of the value of the option at `at`. */
export function optionLength(at: number): number {
  return view.getUint16(at + 2);
}

/** Offset of the option behind the one at `at`. */
export function nextOption(at: number): number {
  return at + OPTION_HEADER + optionLength(at);
}

export function isAssociation(code: number): boolean {
  return code === IA_NA || code === IA_TA || code === IA_PD;
}

/** Bytes of an identity association of the kind `code` before its options. */
export function associationHeader(code: number): number {
  return code === IA_TA ? IA_TA_HEADER : IA_HEADER;
}

/** Whether the options from `from` fill all up to `end`. */
function areWhole(from: number, end: number): boolean {
  let at = from;
  while (end - at >= OPTION_HEADER) at = nextOption(at);
  return at === end;
}

function isWholeAssociation(at: number): boolean {
  const end = nextOption(at);
  const header = associationHeader(optionCode(at));
  if (optionLength(at) < header || !areWhole(at + OPTION_HEADER + header, end)) return false;
  for (let inner = at + OPTION_HEADER + header; inner < end; inner = nextOption(inner))
    if (optionCode(inner) === IA_ADDRESS && optionLength(inner) < IA_ADDRESS_HEADER) return false;
  return true;
}

function isDuid(length: number): boolean {
  return length >= LEAST_DUID && length <= MOST_DUID;
}

/** Keeps what the option at `at` says. False when it can't be as it is. */
function keep(at: number): boolean {
  const value = at + OPTION_HEADER;
  const length = optionLength(at);
  switch (optionCode(at)) {
    case CLIENT_IDENTIFIER:
      if (clientAt >= 0 || !isDuid(length)) return false;
      clientAt = value;
      clientLength = length;
      return true;
    case SERVER_IDENTIFIER:
      if (serverAt >= 0 || !isDuid(length)) return false;
      serverAt = value;
      serverLength = length;
      return true;
    case OPTION_REQUEST:
      if (length % 2 !== 0) return false;
      requestAt = value;
      requestLength = length;
      return true;
    case RAPID_COMMIT:
      wantsRapidCommit = true;
      return true;
    case CLIENT_FQDN:
      if (length > 0) fqdnAt = value;
      return true;
    case IA_NA:
    case IA_TA:
    case IA_PD:
      associations++;
      return isWholeAssociation(at);
    default:
      return true;
  }
}

/** Reads the message from `at` to `end`. False when its options can't be read, one that may be there once is there twice, or is of an impossible length. */
export function readMessage(at: number, end: number): boolean {
  clientAt = -1;
  serverAt = -1;
  requestAt = -1;
  requestLength = 0;
  fqdnAt = -1;
  wantsRapidCommit = false;
  associations = 0;
  if (end - at < DHCPV6_HEADER || !areWhole(at + DHCPV6_HEADER, end)) return false;
  for (let option = at + DHCPV6_HEADER; option < end; option = nextOption(option)) if (!keep(option)) return false;
  return true;
}

/** Whether the client asks for the option. */
export function asksFor(code: number): boolean {
  for (let at = requestAt; at < requestAt + requestLength; at += 2) if (view.getUint16(at) === code) return true;
  return false;
}

/** Writes the header of an option, and returns the offset of its value. */
export function writeOption(at: number, code: number, length: number): number {
  view.setUint16(at, code);
  view.setUint16(at + 2, length);
  return at + OPTION_HEADER;
}

/** Writes the header of the message of `type` that answers the one at `request`. */
export function writeMessage(at: number, type: number, request: number): void {
  view.setInt32(at, view.getInt32(request));
  view.setUint8(at, type);
}
