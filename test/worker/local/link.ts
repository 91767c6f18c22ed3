/** The link of the captures, as the answers of our own see it: 10.0.0.2 and 2001:db8::2 are the guest, .1 and ::1 the gateway. */
import { expect } from 'chai';
import { parseIPv4, parseIPv6 } from '../../../shared/addresses.ts';
import { type IdentityFacts, setIdentity } from '../../../worker/local/identity.ts';
import { setRouter } from '../../../worker/local/router.ts';
import { Verdict, parse } from '../../../worker/wire/frame.ts';
import { freshArena, put } from '../wire/arena.ts';

/** Where the MACs, the request and the answer lie. */
export const OUR_MAC = 16;
export const REQUEST = 1024;
export const OUT = 131_072;

const none = new Uint8Array(0);

export const FACTS: Readonly<IdentityFacts> = {
  guestAddress4: parseIPv4('10.0.0.2') as Uint8Array,
  guestAddress6: parseIPv6('2001:db8::2') as Uint8Array,
  gateway4: parseIPv4('10.0.0.1') as Uint8Array,
  gateway6: parseIPv6('2001:db8::1') as Uint8Array,
  ourLinkLocal: parseIPv6('fe80::1') as Uint8Array,
  mapHostLoopback4: none,
  mapHostLoopback6: none,
  templateInterface: 0,
};

/** The four words of a 16-byte address. */
export function words(address: Uint8Array | null): Int32Array {
  const from = new DataView((address as Uint8Array).buffer, (address as Uint8Array).byteOffset, 16);
  return Int32Array.of(from.getInt32(0), from.getInt32(4), from.getInt32(8), from.getInt32(12));
}

/** A fresh arena with our MAC in it, and the identity of `FACTS`. */
export function freshLink(): void {
  freshArena();
  put(OUR_MAC, '0200000000fe');
  setIdentity(OUR_MAC, FACTS);
  setRouter({ guestAddress6: none, ra: false, dhcpv6: false, defaultRouter6: false, advertisedMtu: 0, routes6: [] });
}

/** Puts a capture (with its virtio-net header) as the request, changed at the offsets given; it must parse. */
export function request(capture: string, changes: Record<number, string> = {}): void {
  const length = put(REQUEST, capture);
  for (const [offset, hex] of Object.entries(changes)) put(REQUEST + Number(offset), hex);
  expect(parse(REQUEST, length, true)).to.equal(Verdict.OK);
}
