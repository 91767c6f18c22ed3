/**
 * A DHCPv6 client of the test's, and the worker that answers it: messages are made and taken apart here, without the worker's own formats.
 */
import { formatAddress, parseAddress } from '../../shared/addresses.ts';
import { setDhcpv6 } from '../../worker/local/dhcpv6.ts';
import { setNames } from '../../worker/local/names.ts';
import { setRouter } from '../../worker/local/router.ts';
import { ascii, hex } from './dhcp_client.ts';
import { buildDatagram, sum16 } from './guest_frame.ts';
import { type BenchOptions, ENDS6, Workbench } from './workbench.ts';

export const GUEST = '2001:db8::2';
export const CLIENT = 'fe80::ff:fe00:7';
export const OURS = 'fe80::1';
export const ALL_SERVERS = 'ff02::1:2';
/** Type 3, hardware 1, our MAC. */
export const SERVER_DUID = [0, 3, 0, 1, ...ENDS6.ourMac];
export const CLIENT_DUID = [0, 4, ...Array.from({ length: 16 }, (_, index) => index)];
/** Code, length and text of the status of success, as of the other codes. */
export const FOREVER = 'ffffffff';

const VNET = 10;
const L3 = VNET + 14;
const L4 = L3 + 40;

export type Option = readonly [code: number, bytes: Iterable<number>];

/** A message of a client. */
export interface ClientMessage {
  readonly type: number;
  readonly options?: readonly Option[];
  /** Bytes to send in place of the options. */
  readonly raw?: Iterable<number>;
}

/** An option of a reply, with the options that are in it. */
export interface Told {
  readonly code: number;
  readonly value: string;
}

/** A reply, taken apart and found to be whole. */
export interface Reply {
  readonly mac: string;
  readonly to: string;
  readonly type: number;
  /** Bytes of the IP packet. */
  readonly length: number;
  readonly options: readonly Told[];
}

/** 16 bytes of an address. */
export function ip6(text: string): number[] {
  return [...(parseAddress(text) as Uint8Array)];
}

export function word(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

export function optionList(...options: readonly Option[]): number[] {
  return options.flatMap(([code, bytes]) => [code >>> 8, code & 255, [...bytes].length >>> 8, [...bytes].length & 255, ...bytes]);
}

/** IAADDR. */
export function iaAddress(address: string, lifetime = 0): Option {
  return [5, [...ip6(address), ...word(lifetime), ...word(lifetime)]];
}

/** IA_NA with the identifier and the options. */
export function iaNa(id: number, ...options: Option[]): Option {
  return [3, [...word(id), ...word(0), ...word(0), ...optionList(...options)]];
}

/** Client and server identifier. */
export const ME: Option = [1, CLIENT_DUID];
export const YOU: Option = [2, SERVER_DUID];

function insist(holds: boolean, what: string): void {
  if (!holds) throw new Error(`a reply of the worker is wrong: ${what}`);
}

/** The options in some bytes, which they must fill. */
export function readOptions(bytes: Uint8Array): Told[] {
  const options: Told[] = [];
  let at = 0;
  while (at < bytes.length) {
    insist(at + 4 <= bytes.length, 'an option without a length');
    const view = new DataView(bytes.buffer, bytes.byteOffset + at);
    const length = view.getUint16(2);
    insist(at + 4 + length <= bytes.length, `option ${view.getUint16(0)} of ${length} bytes`);
    options.push({ code: view.getUint16(0), value: hex(bytes.subarray(at + 4, at + 4 + length)) });
    at += 4 + length;
  }
  return options;
}

/** The options in an IA_NA's or IA_PD's value. */
export function within(value: string, header = 12): Told[] {
  return readOptions(Uint8Array.from(Buffer.from(value, 'hex')).subarray(header));
}

/** Takes a frame of the worker apart; throws when a length, a checksum or a constant field is wrong. */
export function readReply(frame: Uint8Array): Reply {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  insist(
    frame.subarray(0, VNET).every((byte) => byte === 0),
    'an offload fact',
  );
  insist(hex(frame.subarray(VNET + 6, VNET + 14)) === `${hex(ENDS6.ourMac)}86dd`, 'source MAC or EtherType');
  insist(view.getUint32(L3) === 0x60000000 && view.getUint16(L3 + 6) === 0x11ff, 'no UDP with hop limit 255');
  insist(view.getUint16(L3 + 4) === frame.length - L4 && view.getUint16(L4 + 4) === frame.length - L4, 'lengths');
  const pseudo = Uint8Array.from([...frame.subarray(L3 + 8, L4), 0, 17, ...frame.subarray(L4 + 4, L4 + 6)]);
  insist(view.getUint16(L4 + 6) !== 0 && sum16(frame.subarray(L4), sum16(pseudo)) === 0xffff, 'UDP checksum');
  insist(view.getUint16(L4) === 547 && view.getUint16(L4 + 2) === 546, 'ports');
  insist(formatAddress(frame.slice(L3 + 8, L3 + 24)) === OURS, 'source');
  insist((view.getUint32(L4 + 8) & 0xffffff) === 0x123456, 'transaction');
  return {
    mac: hex(frame.subarray(VNET, VNET + 6)),
    to: formatAddress(frame.slice(L3 + 24, L3 + 40)),
    type: view.getUint8(L4 + 8),
    length: frame.length - L3,
    options: readOptions(frame.subarray(L4 + 12)),
  };
}

/** Facts with some changed; addresses are text. */
export interface FactChanges {
  readonly enabled?: boolean;
  readonly address?: string;
  readonly fqdn?: string;
  /** Seconds; default 0, never. */
  readonly renewal?: number;
  readonly servers?: readonly string[];
  readonly search?: readonly string[];
}

/** A worker with one client. */
export class Dhcpv6Link {
  readonly bench: Workbench;

  constructor(changes: FactChanges = {}, options: BenchOptions = {}) {
    this.bench = new Workbench(options);
    this.change(changes);
  }

  /** Sets the facts anew. */
  change(changes: FactChanges): void {
    const guestAddress6 = parseAddress(changes.address ?? GUEST) as Uint8Array;
    setDhcpv6({ dhcpv6: changes.enabled ?? true, guestAddress6, fqdn: changes.fqdn ?? '', renewal6: changes.renewal ?? 0 });
    // Who knows what the guest had before.
    setRouter({ guestAddress6, ra: false, dhcpv6: true, defaultRouter6: true, advertisedMtu: 0, routes6: [] });
    setNames(
      (changes.servers ?? []).map((server) => parseAddress(server) as Uint8Array),
      changes.search ?? [],
    );
  }

  /** Sends a payload to port 547, and gives the reply, if there is one. More than one is an error. */
  exchange(payload: Uint8Array, source = CLIENT, destination = ALL_SERVERS): Reply | null {
    const ends = { ...ENDS6, guest: Uint8Array.from(ip6(source)), far: Uint8Array.from(ip6(destination)) };
    this.bench.deliver(buildDatagram(ends, 546, 547, payload));
    const frames = this.bench.kernel.tap.toGuest.splice(0);
    if (frames.length > 1) throw new Error(`${frames.length} replies to one message`);
    return frames[0] === undefined ? null : readReply(frames[0]);
  }

  send(message: ClientMessage, source?: string, destination?: string): Reply | null {
    const options = [...(message.raw ?? optionList(...(message.options ?? [])))];
    return this.exchange(Uint8Array.from([message.type, 0x12, 0x34, 0x56, ...options]), source, destination);
  }

  /** A message that has a reply. */
  ask(message: ClientMessage, source?: string, destination?: string): Reply {
    const reply = this.send(message, source, destination);
    if (reply === null) throw new Error('no reply');
    return reply;
  }
}

/** Value of the first option of that code; undefined = the reply has none. */
export function told(reply: { readonly options: readonly Told[] }, code: number): string | undefined {
  return reply.options.find((option) => option.code === code)?.value;
}

/** The code of the status among some options; undefined = there is none. */
export function statusIn(options: readonly Told[]): number | undefined {
  const value = options.find(({ code }) => code === 13)?.value;
  return value === undefined ? undefined : Number.parseInt(value.slice(0, 4), 16);
}

export { ascii, hex };
