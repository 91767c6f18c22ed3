/**
 * Router advertisements as a host reads them, and a worker that sends them: messages are made and taken apart here, without the worker's own
 * formats.
 */
import { formatAddress, parseAddress } from '../../shared/addresses.ts';
import { OUR_MAC } from '../../worker/link/arena.ts';
import { setIdentity } from '../../worker/local/identity.ts';
import { openNames, setNames } from '../../worker/local/names.ts';
import { openRouter, setRouter } from '../../worker/local/router.ts';
import { announceChange } from '../../worker/guest_link.ts';
import { hex } from './dhcp_client.ts';
import { buildFrame, sum16 } from './guest_frame.ts';
import { type BenchOptions, ENDS6, Workbench } from './workbench.ts';

export const LINK_LOCAL = 'fe80::ff:fe00:7';
export const ROUTER = 'fe80::1';
export const ALL_NODES = 'ff02::1';
export const ALL_ROUTERS = 'ff02::2';

const VNET = 10;
const L3 = VNET + 14;
const L4 = L3 + 40;
const HOP_LIMIT = L3 + 7;

/** An advertisement of a router or a neighbour, taken apart and found to be whole. */
export interface Advertisement {
  readonly mac: string;
  readonly from: string;
  readonly to: string;
  readonly type: number;
  /** Bytes of the IP packet. */
  readonly length: number;
  /** What is before the options, behind the checksum. */
  readonly fields: string;
  /** Type and all bytes of each option. */
  readonly options: readonly (readonly [type: number, bytes: string])[];
}

function insist(holds: boolean, what: string): void {
  if (!holds) throw new Error(`an advertisement of the worker is wrong: ${what}`);
}

/** Takes a frame of the worker apart; throws when a length, a checksum or a constant field is wrong. */
export function readAdvertisement(frame: Uint8Array): Advertisement {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  insist(
    frame.subarray(0, VNET).every((byte) => byte === 0),
    'an offload fact',
  );
  insist(hex(frame.subarray(VNET + 6, VNET + 14)) === `${hex(ENDS6.ourMac)}86dd`, 'source MAC or EtherType');
  insist(view.getUint32(L3) === 0x60000000 && view.getUint16(L3 + 6) === 0x3aff, 'no ICMPv6 with hop limit 255');
  insist(view.getUint16(L3 + 4) === frame.length - L4, 'length');
  const length = frame.length - L4;
  const pseudo = Uint8Array.from([...frame.subarray(L3 + 8, L4), 0, 0, length >>> 8, length & 255, 0, 0, 0, 58]);
  insist(sum16(frame.subarray(L4), sum16(pseudo)) === 0xffff, 'checksum');
  const type = view.getUint8(L4);
  insist((type === 134 || type === 136) && view.getUint8(L4 + 1) === 0, `type ${type}`);
  const header = type === 134 ? 16 : 24;
  const options: [number, string][] = [];
  for (let at = L4 + header; at < frame.length; ) {
    const bytes = 8 * view.getUint8(at + 1);
    insist(bytes > 0 && at + bytes <= frame.length, `option ${view.getUint8(at)}`);
    options.push([view.getUint8(at), hex(frame.subarray(at, at + bytes))]);
    at += bytes;
  }
  return {
    mac: hex(frame.subarray(VNET, VNET + 6)),
    from: formatAddress(frame.slice(L3 + 8, L3 + 24)),
    to: formatAddress(frame.slice(L3 + 24, L4)),
    type,
    length: frame.length - L3,
    fields: hex(frame.subarray(L4 + 4, L4 + header)),
    options,
  };
}

/** What a solicitation has other than a right one. */
export interface Solicitation {
  readonly type?: number;
  readonly code?: number;
  readonly hopLimit?: number;
  /** All behind the checksum. */
  readonly body?: readonly number[];
  readonly checksumOff?: number;
}

/** A frame with an ICMPv6 message from the guest, by default a router solicitation without options. */
export function solicitation(from: string, to: string, given: Solicitation = {}): Uint8Array {
  const ends = { ...ENDS6, guest: parseAddress(from) as Uint8Array, far: parseAddress(to) as Uint8Array };
  const l4 = Uint8Array.from([given.type ?? 133, given.code ?? 0, 0, 0, ...(given.body ?? [0, 0, 0, 0])]);
  const pseudo = Uint8Array.from([...ends.guest, ...ends.far, 0, 0, l4.length >>> 8, l4.length & 255, 0, 0, 0, 58]);
  const checksum = ~sum16(l4, sum16(pseudo)) + (given.checksumOff ?? 0);
  l4.set([(checksum >>> 8) & 255, checksum & 255], 2);
  const frame = buildFrame(ends, 58, l4);
  frame[HOP_LIMIT] = given.hopLimit ?? 255;
  return frame;
}

/** Facts with some changed; addresses are text. */
export interface RouterChanges {
  readonly ra?: boolean;
  readonly dhcpv6?: boolean;
  readonly address?: string | null;
  /** Our link-local address. */
  readonly router?: string;
  readonly isDefault?: boolean;
  readonly mtu?: number;
  readonly routes?: readonly string[];
  readonly servers?: readonly string[];
  readonly search?: readonly string[];
}

/** A worker that advertises. */
export class RouterLink {
  readonly bench: Workbench;

  constructor(changes: RouterChanges = {}, options: BenchOptions = {}) {
    this.bench = new Workbench(options);
    openNames();
    openRouter();
    this.set(changes);
  }

  /** Sets the facts anew. Whether those about names are others than before. */
  set(changes: RouterChanges): boolean {
    const bytes = (text: string): Uint8Array => parseAddress(text) as Uint8Array;
    const none = new Uint8Array(0);
    const guestAddress6 = changes.address === null ? none : bytes(changes.address ?? '2001:db8::2');
    const others = { guestAddress4: none, gateway4: none, gateway6: none, mapHostLoopback4: none, mapHostLoopback6: none };
    setIdentity(OUR_MAC, { ...others, guestAddress6, ourLinkLocal: bytes(changes.router ?? ROUTER), templateInterface: 3 });
    setRouter({
      ra: changes.ra ?? true,
      dhcpv6: changes.dhcpv6 ?? false,
      guestAddress6,
      defaultRouter6: changes.isDefault ?? true,
      advertisedMtu: changes.mtu ?? 0,
      routes6: (changes.routes ?? []).map((route) => {
        const [destination, length] = route.split('/') as [string, string];
        return { destination: bytes(destination), prefixLength: Number(length) };
      }),
    });
    return setNames((changes.servers ?? []).map(bytes), changes.search ?? []);
  }

  /** The guest may be there, or hears of a change. */
  begin(): void {
    announceChange();
    this.bench.turn();
  }

  /** Sets the facts anew, and gives what everybody is told at once. */
  change(changes: RouterChanges): Advertisement[] {
    // Not too soon after what was sent before.
    this.bench.advance(3000);
    this.sent();
    this.set(changes);
    this.begin();
    return this.sent();
  }

  /** What was sent to the guest since last asked. */
  sent(): Advertisement[] {
    return this.bench.kernel.tap.toGuest.splice(0).map(readAdvertisement);
  }

  /** What the worker answers to a frame. */
  deliver(frame: Uint8Array): Advertisement[] {
    this.bench.deliver(frame);
    return this.sent();
  }

  /** The answer to a router solicitation from the guest's own address. */
  solicit(): Advertisement {
    const [answer, ...others] = this.deliver(solicitation(LINK_LOCAL, ALL_ROUTERS));
    if (answer === undefined || others.length > 0) throw new Error('not one advertisement');
    return answer;
  }
}
