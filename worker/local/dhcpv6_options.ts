/**
 * What is in a reply of the DHCPv6 server, and what of it fits.
 *
 * The identifiers come first, then what is said of each identity association (RFC 8415 §18.3), then what is told of names. Of all that,
 * an option that does not fit is left out; the one with the guest's address always fits, for it is written before those of other associations.
 */
import { linkMtu } from '../link/mtu.ts';
import { equalWords, setWords } from '../wire/address.ts';
import * as dhcpv6 from '../wire/dhcpv6.ts';
import { encodeName } from '../wire/domain-name.ts';
import { copyMac } from '../wire/ethernet.ts';
import { IPV6_HEADER, readAddress, writeAddress } from '../wire/ipv6.ts';
import { bytes, view } from '../wire/memory.ts';
import { UDP_HEADER } from '../wire/udp.ts';
import { expireAddresses, formerAddressAt, secondsLeft } from './former.ts';
import { ourMac } from './identity.ts';
import { searchList, server6Count, servers6 } from './names.ts';

/** What the answers are made of. */
export interface Dhcpv6Facts {
  dhcpv6: boolean;
  /** The guest's, 16 bytes. */
  guestAddress6: Uint8Array;
  /** Full name of the guest; empty = not told. */
  fqdn: string;
  /** Seconds after which the client asks again, 0 = never. */
  renewal6: number;
}

const INFINITE = -1;
/** RFC 8415 §21.8: of servers that all answer, the client takes this one, and does not wait for others. */
const MOST_PREFERRED = 255;
/** Seconds after which a client without a lease asks again what has changed (RFC 8415 §21.23). */
const REFRESH = 3600;
/** RFC 8200 §5, and what any Ethernet carries. */
const LEAST_PACKET = 1280;
const MOST_PACKET = 1500;
/** RFC 8415 §11.4: a DUID of the link-layer address: type 3, hardware 1, MAC. It is the same in each run, so leases outlive us. */
const DUID = 0x00030001;
const DUID_BYTES = 10;
const WORDS = 4;
const PREFIX_WORDS = 2;
const TEXTS: readonly Uint8Array[] = [
  'done',
  '',
  'there is one address',
  'no binding',
  'not an address of this link',
  'use multicast',
  'no prefixes',
].map((text) => Uint8Array.from(text, (character) => character.charCodeAt(0)));

/** The reply gives the address to an association that had another one. */
export let hasMoved = false;
/** The address to give. */
export const address = new Int32Array(WORDS);
const other = new Int32Array(WORDS);
let fqdn = new Uint8Array(0);
let renewal = 0;

let at = 0;
let limit = 0;

/** Sets the facts, at the start and when the host has changed. */
export function setTold(facts: Dhcpv6Facts): void {
  setWords(address, facts.guestAddress6);
  fqdn = Uint8Array.from(encodeName(facts.fqdn));
  renewal = facts.renewal6;
}

/** Whether the client means this server. */
export function isOurIdentifier(): boolean {
  if (dhcpv6.serverLength !== DUID_BYTES || view.getInt32(dhcpv6.serverAt) !== DUID) return false;
  return view.getInt32(dhcpv6.serverAt + 4) === view.getInt32(ourMac) && view.getInt16(dhcpv6.serverAt + 8) === view.getInt16(ourMac + 4);
}

/** Offset of the value of a new option, −1 = there is no room for it. */
function begin(code: number, length: number): number {
  if (at + dhcpv6.OPTION_HEADER + length > limit) return -1;
  const value = dhcpv6.writeOption(at, code, length);
  at = value + length;
  return value;
}

/** Begins the reply of `type` to the message at `request`, which was read. */
export function beginReply(message: number, request: number, type: number): void {
  hasMoved = false;
  limit = message + Math.min(Math.max(linkMtu, LEAST_PACKET), MOST_PACKET) - IPV6_HEADER - UDP_HEADER;
  dhcpv6.writeMessage(message, type, request);
  at = message + dhcpv6.DHCPV6_HEADER;
  const server = begin(dhcpv6.SERVER_IDENTIFIER, DUID_BYTES);
  view.setInt32(server, DUID);
  copyMac(server + 4, ourMac);
  if (dhcpv6.clientAt < 0) return;
  const client = begin(dhcpv6.CLIENT_IDENTIFIER, dhcpv6.clientLength);
  bytes.copyWithin(client, dhcpv6.clientAt, dhcpv6.clientAt + dhcpv6.clientLength);
}

/** Ends it, and returns the bytes of the message. */
export function endReply(message: number): number {
  return at - message;
}

export function tellPreference(): void {
  const value = begin(dhcpv6.PREFERENCE, 1);
  if (value >= 0) view.setUint8(value, MOST_PREFERRED);
}

export function tellRapidCommit(): void {
  begin(dhcpv6.RAPID_COMMIT, 0);
}

/** The status of the whole message. */
export function tellStatus(status: number): void {
  const text = TEXTS[status] as Uint8Array;
  const value = begin(dhcpv6.STATUS_CODE, 2 + text.length);
  if (value >= 0) writeStatus(value, status, text);
}

function writeStatus(value: number, status: number, text: Uint8Array): void {
  view.setUint16(value, status);
  for (let index = 0; index < text.length; index++) view.setUint8(value + 2 + index, text[index] as number);
}

/** The option of the first IA_NA of the message from `request` to `end`; `end` = it has none. */
function firstAssociation(request: number, end: number): number {
  let option = request + dhcpv6.DHCPV6_HEADER;
  while (option < end && dhcpv6.optionCode(option) !== dhcpv6.IA_NA) option = dhcpv6.nextOption(option);
  return option;
}

/** How an address of the association at `option` relates to what is given here. */
export const Addresses = { NONE: 0, RIGHT: 1, OTHER: 2, OFF_LINK: 3 } as const;

/** The worst that is said of any address of the association. */
function addressesOf(option: number): number {
  const end = dhcpv6.nextOption(option);
  let worst: number = Addresses.NONE;
  let inner = option + dhcpv6.OPTION_HEADER + dhcpv6.associationHeader(dhcpv6.optionCode(option));
  for (; inner < end; inner = dhcpv6.nextOption(inner)) {
    if (dhcpv6.optionCode(inner) !== dhcpv6.IA_ADDRESS) continue;
    readAddress(inner + dhcpv6.OPTION_HEADER, other, 0);
    worst = Math.max(worst, kindOfOther());
  }
  return worst;
}

function kindOfOther(): number {
  if (equalWords(other, 0, address, 0)) return Addresses.RIGHT;
  for (let word = 0; word < PREFIX_WORDS; word++) if (other[word] !== address[word]) return Addresses.OFF_LINK;
  return Addresses.OTHER;
}

/** The same of all associations of the message. */
export function addressesOfMessage(request: number, end: number): number {
  let worst: number = Addresses.NONE;
  for (let option = request + dhcpv6.DHCPV6_HEADER; option < end; option = dhcpv6.nextOption(option)) {
    const code = dhcpv6.optionCode(option);
    if (code === dhcpv6.IA_NA || code === dhcpv6.IA_TA) worst = Math.max(worst, addressesOf(option));
  }
  return worst;
}

/** Answers an association by a status alone. */
function refuse(option: number, status: number): void {
  const code = dhcpv6.optionCode(option);
  const header = dhcpv6.associationHeader(code);
  const text = TEXTS[status] as Uint8Array;
  const value = begin(code, header + dhcpv6.OPTION_HEADER + 2 + text.length);
  if (value < 0) return;
  bytes.fill(0, value, value + header);
  view.setInt32(value, view.getInt32(option + dhcpv6.OPTION_HEADER));
  writeStatus(dhcpv6.writeOption(value + header, dhcpv6.STATUS_CODE, 2 + text.length), status, text);
}

/** `preferred` and `valid`: seconds. */
function writeIaAddress(to: number, words: Int32Array, preferred: number, valid: number): number {
  const value = dhcpv6.writeOption(to, dhcpv6.IA_ADDRESS, dhcpv6.IA_ADDRESS_HEADER);
  writeAddress(value, words, 0);
  view.setInt32(value + 16, preferred);
  view.setInt32(value + 20, valid);
  return value + dhcpv6.IA_ADDRESS_HEADER;
}

/** Seconds for which an address that is not the guest's is valid: flows go on that are bound to one that was the guest's a while ago. */
function secondsOfOther(): number {
  const index = formerAddressAt(other);
  return index < 0 ? 0 : secondsLeft(index);
}

/**
 * Answers an association by the address, for ever; what other addresses it has end now (RFC 8415 §18.3.4), or are used by nothing new if they
 * were given here.
 */
function assign(option: number, endsOthers: boolean): void {
  const value = begin(dhcpv6.IA_NA, dhcpv6.IA_HEADER);
  view.setInt32(value, view.getInt32(option + dhcpv6.OPTION_HEADER));
  view.setInt32(value + 4, renewal === 0 ? INFINITE : renewal);
  // RFC 8415 §21.4: 0.8 of what the first is 0.5 of.
  view.setInt32(value + 8, renewal === 0 ? INFINITE : (8 * renewal) / 5);
  at = writeIaAddress(at, address, INFINITE, INFINITE);
  const end = dhcpv6.nextOption(option);
  let inner = option + dhcpv6.OPTION_HEADER + dhcpv6.IA_HEADER;
  expireAddresses();
  for (; endsOthers && inner < end; inner = dhcpv6.nextOption(inner)) {
    if (dhcpv6.optionCode(inner) !== dhcpv6.IA_ADDRESS || at + dhcpv6.OPTION_HEADER + dhcpv6.IA_ADDRESS_HEADER > limit) continue;
    readAddress(inner + dhcpv6.OPTION_HEADER, other, 0);
    if (kindOfOther() !== Addresses.RIGHT) at = writeIaAddress(at, other, 0, secondsOfOther());
  }
  view.setUint16(value - 2, at - value);
}

/** Status of an association that gets no address, in the answer to a message of `type`. */
function refusalOf(option: number, type: number): number {
  if (type === dhcpv6.RENEW || type === dhcpv6.REBIND) return dhcpv6.NO_BINDING;
  return dhcpv6.optionCode(option) === dhcpv6.IA_PD ? dhcpv6.NO_PREFIXES : dhcpv6.NO_ADDRESSES;
}

/**
 * Answers the associations of a message of `type` from `request` to `end` that wants addresses: the first IA_NA gets the guest's, unless a
 * REQUEST names one of another link. Whether all is well with it.
 */
export function tellAssociations(request: number, end: number, type: number): boolean {
  const first = firstAssociation(request, end);
  const isWrong = first < end && type === dhcpv6.REQUEST && addressesOf(first) === Addresses.OFF_LINK;
  if (isWrong) refuse(first, dhcpv6.NOT_ON_LINK);
  else if (first < end) {
    const isRenewal = type === dhcpv6.RENEW || type === dhcpv6.REBIND;
    hasMoved = isRenewal && addressesOf(first) > Addresses.RIGHT;
    assign(first, isRenewal);
  }
  for (let option = request + dhcpv6.DHCPV6_HEADER; option < end; option = dhcpv6.nextOption(option))
    if (option !== first && dhcpv6.isAssociation(dhcpv6.optionCode(option))) refuse(option, refusalOf(option, type));
  return !isWrong;
}

/** Answers those of a message that gives addresses back: of what was not given nothing is known (RFC 8415 §18.3.7, §18.3.8). */
export function tellUnknownAssociations(request: number, end: number): void {
  for (let option = request + dhcpv6.DHCPV6_HEADER; option < end; option = dhcpv6.nextOption(option)) {
    const code = dhcpv6.optionCode(option);
    if (!dhcpv6.isAssociation(code)) continue;
    if (code !== dhcpv6.IA_NA || addressesOf(option) !== Addresses.RIGHT) refuse(option, dhcpv6.NO_BINDING);
  }
}

/** Whether the client wants an option: it asks for it, or for nothing. */
function isWanted(code: number): boolean {
  return dhcpv6.requestAt < 0 || dhcpv6.asksFor(code);
}

function tellServers(): void {
  if (server6Count === 0 || !isWanted(dhcpv6.DNS_SERVERS)) return;
  const value = begin(dhcpv6.DNS_SERVERS, 16 * server6Count);
  if (value < 0) return;
  for (let server = 0; server < server6Count; server++) writeAddress(value + 16 * server, servers6, WORDS * server);
}

/** As many domains as there is room for. */
function tellSearchList(): void {
  if (!isWanted(dhcpv6.SEARCH_LIST)) return;
  const { bytes: names, ends } = searchList;
  for (let index = ends.length - 1; index >= 0; index--) {
    const length = ends[index] as number;
    const value = begin(dhcpv6.SEARCH_LIST, length);
    if (value < 0) continue;
    for (let byte = 0; byte < length; byte++) view.setUint8(value + byte, names[byte] as number);
    return;
  }
}

/** RFC 4704 §4.1, §6: the name is as we know it and nobody's DNS is updated by us; whoever wanted that is overridden. */
function tellFullName(): void {
  if (fqdn.length === 0 || (dhcpv6.fqdnAt < 0 && !dhcpv6.asksFor(dhcpv6.CLIENT_FQDN))) return;
  const asked = dhcpv6.fqdnAt < 0 ? 0 : view.getUint8(dhcpv6.fqdnAt);
  const value = begin(dhcpv6.CLIENT_FQDN, 1 + fqdn.length);
  if (value < 0) return;
  const overridden = (asked & dhcpv6.FQDN_SERVER_UPDATES) === 0 ? 0 : dhcpv6.FQDN_OVERRIDDEN;
  view.setUint8(value, dhcpv6.FQDN_NO_UPDATES | overridden);
  for (let index = 0; index < fqdn.length; index++) view.setUint8(value + 1 + index, fqdn[index] as number);
}

/** What is told of names to whoever gets anything. */
export function tellNames(): void {
  tellServers();
  tellFullName();
  tellSearchList();
}

/** For a client without a lease: when to ask again. */
export function tellRefreshTime(): void {
  if (!dhcpv6.asksFor(dhcpv6.REFRESH_TIME)) return;
  const value = begin(dhcpv6.REFRESH_TIME, 4);
  if (value >= 0) view.setInt32(value, REFRESH);
}
