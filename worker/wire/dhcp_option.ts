/**
 * Options of DHCP (RFC 2132 §2): a code, a length, a value; one byte alone for padding and the end.
 *
 * A value may be longer than an option: then it goes on in the next one of that code, and an option that comes twice is one value
 * (RFC 3396 §7). So a message is read once, and the values of the options that matter are put together here, each up to MOST_BYTES.
 */
import { FILE_AREA, FILE_AREA_END, SNAME_AREA, SNAME_AREA_END, DHCP_HEADER } from './dhcp.ts';
import { view } from './memory.ts';

const PAD = 0;
const END = 255;

export const SUBNET_MASK = 1;
export const ROUTER = 3;
export const DNS_SERVERS = 6;
export const HOST_NAME = 12;
export const INTERFACE_MTU = 26;
export const REQUESTED_ADDRESS = 50;
export const LEASE_TIME = 51;
export const RENEWAL_TIME = 58;
export const REBINDING_TIME = 59;
export const OVERLOAD = 52;
export const MESSAGE_TYPE = 53;
export const SERVER_IDENTIFIER = 54;
export const PARAMETER_LIST = 55;
export const MESSAGE = 56;
export const MAXIMUM_MESSAGE = 57;
export const CLIENT_IDENTIFIER = 61;
export const RAPID_COMMIT = 80;
export const CLIENT_FQDN = 81;
export const SEARCH_LIST = 119;
export const CLASSLESS_ROUTES = 121;

/** Types of messages (RFC 2132 §9.6). */
export const DISCOVER = 1;
export const OFFER = 2;
export const REQUEST = 3;
export const DECLINE = 4;
export const ACK = 5;
export const NAK = 6;
export const RELEASE = 7;
export const INFORM = 8;

/** Flags of the client's full name (RFC 4702 §2.1). */
export const FQDN_SERVER_UPDATES = 1;
export const FQDN_OVERRIDDEN = 2;
export const FQDN_ENCODED = 4;
export const FQDN_NO_UPDATES = 8;

/** Areas in use beside the options' own (RFC 2132 §9.3). */
const OVERLOADS_FILE = 1;
const OVERLOADS_SNAME = 2;

/** Those that are read, and where they are put. */
const READ = [
  REQUESTED_ADDRESS,
  OVERLOAD,
  MESSAGE_TYPE,
  SERVER_IDENTIFIER,
  PARAMETER_LIST,
  MAXIMUM_MESSAGE,
  CLIENT_IDENTIFIER,
  RAPID_COMMIT,
  CLIENT_FQDN,
];
/** Bytes of a value that are kept; nothing that is read here may have more. */
export const MOST_BYTES = 255;

const slotOf = new Int32Array(256).fill(-1);
for (let slot = 0; slot < READ.length; slot++) slotOf[READ[slot] as number] = slot;
const lengths = new Int32Array(READ.length);
const values = new DataView(new ArrayBuffer(READ.length * MOST_BYTES));

function keep(code: number, at: number, length: number): void {
  const slot = slotOf[code] as number;
  if (slot < 0) return;
  const known = Math.max(lengths[slot] as number, 0);
  const kept = Math.min(length, MOST_BYTES - Math.min(known, MOST_BYTES));
  for (let byte = 0; byte < kept; byte++) values.setUint8(slot * MOST_BYTES + known + byte, view.getUint8(at + byte));
  lengths[slot] = known + length;
}

/** False when an option is longer than what is left. A list without an end is a list. */
function readArea(from: number, end: number): boolean {
  for (let at = from; at < end; ) {
    const code = view.getUint8(at);
    if (code === END) return true;
    if (code === PAD) {
      at++;
      continue;
    }
    if (end - at < 2) return false;
    const length = view.getUint8(at + 1);
    if (length > end - at - 2) return false;
    keep(code, at + 2, length);
    at += 2 + length;
  }
  return true;
}

/** Reads the options of the message from `at` to `end`, in the order of RFC 3396 §5. False when they can't be read, or one that must be short is not. */
export function readOptions(at: number, end: number): boolean {
  lengths.fill(-1);
  if (!readArea(at + DHCP_HEADER, end)) return false;
  // Said in one of the two areas, it would count no more.
  const overload = optionLength(OVERLOAD) === 1 ? optionByte(OVERLOAD, 0) : 0;
  if ((overload & OVERLOADS_FILE) !== 0 && !readArea(at + FILE_AREA, at + FILE_AREA_END)) return false;
  if ((overload & OVERLOADS_SNAME) !== 0 && !readArea(at + SNAME_AREA, at + SNAME_AREA_END)) return false;
  return (
    isAbsentOr(MESSAGE_TYPE, 1) &&
    isAbsentOr(REQUESTED_ADDRESS, 4) &&
    isAbsentOr(SERVER_IDENTIFIER, 4) &&
    optionLength(CLIENT_IDENTIFIER) <= MOST_BYTES
  );
}

function isAbsentOr(code: number, length: number): boolean {
  const is = optionLength(code);
  return is < 0 || is === length;
}

/** Bytes of an option of the message that was read, which may be more than were kept; -1 = it has none. The code must be one of those that are read. */
export function optionLength(code: number): number {
  return lengths[slotOf[code] as number] as number;
}

export function hasOption(code: number): boolean {
  return optionLength(code) >= 0;
}

/** Byte `index` of an option, which must have it. */
export function optionByte(code: number, index: number): number {
  return values.getUint8((slotOf[code] as number) * MOST_BYTES + index);
}

/** The address that an option of 4 bytes or more has, int32. */
export function optionAddress(code: number): number {
  return values.getInt32((slotOf[code] as number) * MOST_BYTES);
}

/** Bytes of options that carry a value of `length` bytes: more than one if need be. */
export function optionBytes(length: number): number {
  return length + 2 * Math.max(1, Math.ceil(length / MOST_BYTES));
}

/** Writes `length` bytes of `value` as an option at `at`, or as several (RFC 3396 §6), and returns the offset behind them. */
export function writeOption(at: number, code: number, value: Uint8Array, length: number): number {
  let to = at;
  let written = 0;
  do {
    const part = Math.min(length - written, MOST_BYTES);
    view.setUint8(to, code);
    view.setUint8(to + 1, part);
    for (let byte = 0; byte < part; byte++) view.setUint8(to + 2 + byte, value[written + byte] as number);
    to += 2 + part;
    written += part;
  } while (written < length);
  return to;
}

/** Ends the options at `at`, and fills up with zeros to `least`. Returns the offset behind. */
export function endOptions(at: number, least: number): number {
  view.setUint8(at, END);
  let to = at + 1;
  while (to < least) view.setUint8(to++, PAD);
  return to;
}
