/**
 * Keyed hash of a flow's addresses: HalfSipHash-1-3 (Aumasson, Bernstein) over ten words. A guest that can't learn the
 * key can't build colliding flows. 32-bit additions and rotations only, so nothing leaves the int32 range.
 */

let key0 = 0;
let key1 = 0;
let v0 = 0;
let v1 = 0;
let v2 = 0;
let v3 = 0;

/** Sets the 64-bit key. */
export function setHashKey(first: number, second: number): void {
  key0 = first | 0;
  key1 = second | 0;
}

function round(): void {
  v0 = (v0 + v1) | 0;
  v1 = (v1 << 5) | (v1 >>> 27);
  v1 ^= v0;
  v0 = (v0 << 16) | (v0 >>> 16);
  v2 = (v2 + v3) | 0;
  v3 = (v3 << 8) | (v3 >>> 24);
  v3 ^= v2;
  v0 = (v0 + v3) | 0;
  v3 = (v3 << 7) | (v3 >>> 25);
  v3 ^= v0;
  v2 = (v2 + v1) | 0;
  v1 = (v1 << 13) | (v1 >>> 19);
  v1 ^= v2;
  v2 = (v2 << 16) | (v2 >>> 16);
}

function absorb(word: number): void {
  v3 ^= word;
  round();
  v0 ^= word;
}

/** Hash of protocol, ports and the two addresses at `guest` and `far` of `words`, as int32. */
export function flowHash(words: Int32Array, guest: number, far: number, ports: number, protocol: number): number {
  v0 = key0;
  v1 = key1;
  v2 = 0x6c796765 ^ key0;
  v3 = 0x74656462 ^ key1;
  absorb(words[guest]!);
  absorb(words[guest + 1]!);
  absorb(words[guest + 2]!);
  absorb(words[guest + 3]!);
  absorb(words[far]!);
  absorb(words[far + 1]!);
  absorb(words[far + 2]!);
  absorb(words[far + 3]!);
  absorb(ports);
  absorb(protocol | (40 << 24));
  v2 ^= 0xff;
  round();
  round();
  round();
  return v1 ^ v3;
}
