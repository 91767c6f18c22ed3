/**
 * A DHCP client of the test's, and the worker that answers it: messages are made and taken apart here, without the worker's own formats.
 */
import { parseAddress } from '../../shared/addresses.ts';
import { setDhcp } from '../../worker/local/dhcp.ts';
import type { DhcpFacts } from '../../worker/local/dhcp_options.ts';
import { setNames } from '../../worker/local/names.ts';
import { buildDatagram, sum16 } from './guest_frame.ts';
import { type BenchOptions, ENDS4, Workbench } from './workbench.ts';

const VNET = 10;
const ETHERNET = 14;
const COOKIE = [99, 130, 83, 99];
/** UDP header and message. */
const BOOTP_DATAGRAM = 308;

export const GUEST = '192.0.2.2';
export const GATEWAY = '192.0.2.1';
export const BROADCAST = '255.255.255.255';

/** Bytes of an option, and its code. */
export type Option = readonly [code: number, bytes: Iterable<number>];

/** A message of a client; all fields but these are 0. Addresses are text. */
export interface ClientMessage {
  readonly op?: number;
  readonly hardware?: readonly [type: number, length: number];
  readonly xid?: number;
  readonly secs?: number;
  readonly flags?: number;
  readonly ciaddr?: string;
  readonly yiaddr?: string;
  readonly giaddr?: string;
  readonly chaddr?: readonly number[];
  readonly sname?: Uint8Array;
  readonly file?: Uint8Array;
  readonly cookie?: readonly number[];
  readonly options?: readonly Option[];
  /** Bytes to send in place of the options. */
  readonly raw?: Iterable<number>;
  /** Bytes that the message has at least; default 300. */
  readonly least?: number;
}

/** A reply, taken apart and found to be whole. */
export interface Reply {
  readonly mac: string;
  readonly from: string;
  readonly to: string;
  readonly op: number;
  readonly hops: number;
  readonly xid: number;
  readonly secs: number;
  readonly flags: number;
  readonly ciaddr: string;
  readonly yiaddr: string;
  readonly siaddr: string;
  readonly giaddr: string;
  readonly chaddr: string;
  /** Bytes of the message. */
  readonly length: number;
  /** Codes in their order, each once. */
  readonly codes: readonly number[];
  /** What each says, in hexadecimal; what came in several is put together. */
  readonly values: ReadonlyMap<number, string>;
}

export function hex(bytes: Iterable<number>): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Four bytes of an address. */
export function ip(text: string): number[] {
  return [...(parseAddress(text) as Uint8Array).slice(12)];
}

export function ascii(text: string): number[] {
  return [...text].map((character) => character.charCodeAt(0));
}

/** Options as they stand in a message, without an end. */
export function optionList(...options: Option[]): number[] {
  return options.flatMap(([code, bytes]) => [code, [...bytes].length, ...bytes]);
}

/** The payload of the datagram. */
export function clientMessage(given: ClientMessage): Uint8Array {
  const options = [...(given.raw ?? [...optionList(...(given.options ?? [])), 255])];
  const message = new Uint8Array(Math.max(240 + options.length, given.least ?? 300));
  const view = new DataView(message.buffer);
  const [type, length] = given.hardware ?? [1, 6];
  message.set([given.op ?? 1, type, length, 0]);
  view.setUint32(4, given.xid ?? 0x12345678);
  view.setUint16(8, given.secs ?? 0);
  view.setUint16(10, given.flags ?? 0);
  message.set(ip(given.ciaddr ?? '0.0.0.0'), 12);
  message.set(ip(given.yiaddr ?? '0.0.0.0'), 16);
  message.set(ip(given.giaddr ?? '0.0.0.0'), 24);
  message.set(given.chaddr ?? [...ENDS4.guestMac], 28);
  message.set(given.sname ?? [], 44);
  message.set(given.file ?? [], 108);
  message.set(given.cookie ?? COOKIE, 236);
  message.set(options, 240);
  return message;
}

function insist(holds: boolean, what: string): void {
  if (!holds) throw new Error(`a reply of the worker is wrong: ${what}`);
}

function readOptions(message: Uint8Array): Pick<Reply, 'codes' | 'values'> {
  const values = new Map<number, string>();
  let at = 240;
  for (; message[at] !== 255; ) {
    insist(at < message.length, 'no end of options');
    const code = message[at] as number;
    insist(code !== 0, 'padding before the end');
    const length = message[at + 1] as number;
    insist(at + 2 + length < message.length, `option ${code} of ${length} bytes`);
    values.set(code, (values.get(code) ?? '') + hex(message.subarray(at + 2, at + 2 + length)));
    at += 2 + length;
  }
  insist(
    message.subarray(at + 1).every((byte) => byte === 0),
    'something behind the end of options',
  );
  return { codes: [...values.keys()], values };
}

/** Takes a frame of the worker apart; throws when a length, a checksum or a constant field is wrong. */
export function readReply(frame: Uint8Array): Reply {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const l3 = VNET + ETHERNET;
  const l4 = l3 + 20;
  insist(
    frame.subarray(0, VNET).every((byte) => byte === 0),
    'an offload fact',
  );
  insist(hex(frame.subarray(VNET + 6, VNET + 14)) === `${hex(ENDS4.ourMac)}0800`, 'source MAC or EtherType');
  insist(view.getUint16(l3) === 0x4500 && view.getUint8(l3 + 9) === 17, 'no UDP without options');
  insist(view.getUint16(l3 + 2) === frame.length - l3 && view.getUint16(l4 + 4) === frame.length - l4, 'lengths');
  insist(sum16(frame.subarray(l3, l4)) === 0xffff, 'IPv4 checksum');
  const pseudo = Uint8Array.from([...frame.subarray(l3 + 12, l3 + 20), 0, 17, ...frame.subarray(l4 + 4, l4 + 6)]);
  insist(view.getUint16(l4 + 6) !== 0 && sum16(frame.subarray(l4), sum16(pseudo)) === 0xffff, 'UDP checksum');
  insist(view.getUint16(l4) === 67 && view.getUint16(l4 + 2) === 68, 'ports');
  const message = frame.subarray(l4 + 8);
  insist(frame.length - l4 >= BOOTP_DATAGRAM, `only ${message.length} bytes`);
  insist(hex(message.subarray(236, 240)) === hex(COOKIE), 'cookie');
  insist(
    message.subarray(44, 236).every((byte) => byte === 0),
    'sname or file',
  );
  const address = (at: number): string => frame.subarray(at, at + 4).join('.');
  const at = l4 + 8;
  return {
    mac: hex(frame.subarray(VNET, VNET + 6)),
    from: address(l3 + 12),
    to: address(l3 + 16),
    op: view.getUint8(at),
    hops: view.getUint8(at + 3),
    xid: view.getUint32(at + 4),
    secs: view.getUint16(at + 8),
    flags: view.getUint16(at + 10),
    ciaddr: address(at + 12),
    yiaddr: address(at + 16),
    siaddr: address(at + 20),
    giaddr: address(at + 24),
    chaddr: hex(message.subarray(28, 44)),
    length: message.length,
    ...readOptions(message),
  };
}

export const FACTS: Readonly<DhcpFacts> = {
  dhcp: true,
  guestAddress4: parseAddress(GUEST) as Uint8Array,
  prefixLength4: 24,
  gateway4: parseAddress(GATEWAY) as Uint8Array,
  advertisedMtu: 0,
  hostname: '',
  fqdn: '',
  renewal4: 0,
};

/** Facts with some changed; addresses are text. */
export interface FactChanges {
  readonly enabled?: boolean;
  readonly address?: string;
  readonly prefixLength?: number;
  readonly gateway?: string;
  readonly mtu?: number;
  readonly hostname?: string;
  readonly fqdn?: string;
  /** Seconds; default 0, never. */
  readonly renewal?: number;
  readonly servers?: readonly string[];
  readonly search?: readonly string[];
}

/** A worker with one client. */
export class DhcpLink {
  readonly bench: Workbench;

  constructor(changes: FactChanges = {}, options: BenchOptions = {}) {
    this.bench = new Workbench(options);
    this.change(changes);
  }

  /** Sets the facts anew. */
  change(changes: FactChanges): void {
    setDhcp({
      dhcp: changes.enabled ?? FACTS.dhcp,
      guestAddress4: parseAddress(changes.address ?? GUEST) as Uint8Array,
      prefixLength4: changes.prefixLength ?? FACTS.prefixLength4,
      gateway4: parseAddress(changes.gateway ?? GATEWAY) as Uint8Array,
      advertisedMtu: changes.mtu ?? FACTS.advertisedMtu,
      hostname: changes.hostname ?? FACTS.hostname,
      fqdn: changes.fqdn ?? FACTS.fqdn,
      renewal4: changes.renewal ?? FACTS.renewal4,
    });
    setNames(
      (changes.servers ?? []).map((server) => parseAddress(server) as Uint8Array),
      changes.search ?? [],
    );
  }

  /** Sends a payload to port 67, and gives the reply, if there is one. More than one is an error. */
  exchange(payload: Uint8Array, source = '0.0.0.0', destination = BROADCAST): Reply | null {
    const ends = { ...ENDS4, guest: Uint8Array.from(ip(source)), far: Uint8Array.from(ip(destination)) };
    this.bench.deliver(buildDatagram(ends, 68, 67, payload));
    const frames = this.bench.kernel.tap.toGuest.splice(0);
    if (frames.length > 1) throw new Error(`${frames.length} replies to one message`);
    return frames[0] === undefined ? null : readReply(frames[0]);
  }

  send(message: ClientMessage, source?: string, destination?: string): Reply | null {
    return this.exchange(clientMessage(message), source, destination);
  }

  /** A message that has a reply. */
  ask(message: ClientMessage, source?: string, destination?: string): Reply {
    const reply = this.send(message, source, destination);
    if (reply === null) throw new Error('no reply');
    return reply;
  }
}
