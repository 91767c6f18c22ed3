/**
 * From one loopback to the other: who goes there without frames, and where to.
 *
 * Decision table, for who has come to a listener from a loopback, first row that fits:
 *   nothing is spliced, or a listener of the host has a target of its own → not this way
 *   listener of the guest, asked at another address than its loopback → nowhere
 *   listener of the guest with a target    → that
 *   listener of the guest                  → the same address of the host's loopback, asked from the same
 *   listener of the host, host-lo-to-ns-lo → the same address of the guest's loopback; asked elsewhere: its first
 *   listener of the host                   → the address that the guest is known by
 */
import { isLoopback, isSet, LOOPBACK4, LOOPBACK6 } from '../wire/address.ts';
import { askFrom, setTarget } from './forward.ts';
import { addressGuest } from './observed.ts';
import { key, KEY_FAR, KEY_GUEST } from './table.ts';

const ANY = new Int32Array(4);
const guest = new Int32Array(4);

let splices = false;
let toGuestLoopback = false;

/** How loopbacks are joined, once, from the configuration. `guestLoopback`: what comes from the host's loopback goes to the guest's. */
export function setLoopbacks(wanted: { splices: boolean; guestLoopback: boolean }): void {
  splices = wanted.splices;
  toGuestLoopback = wanted.guestLoopback;
}

/** True when `comer` goes from loopback to loopback. `aim`: the listener's own target, zero = none. */
export function crosses(ofGuest: boolean, comer: Int32Array, family: number, aim: Int32Array): boolean {
  return splices && isLoopback(comer, 0, family) && (ofGuest || !isSet(aim, 0));
}

/** Whether it matters which address of this side was asked. */
export function askedMatters(ofGuest: boolean): boolean {
  return ofGuest || toGuestLoopback;
}

/**
 * Decides `target` and `source` (forward.ts) for who crosses and has `asked` an address of this side. False when there is no way: the guest
 * has no address of the family, or has asked its own listener at one that is not on its loopback. Changes `key`.
 */
export function crossOver(ofGuest: boolean, comer: Int32Array, asked: Int32Array, family: number, aim: Int32Array): boolean {
  const loopback = family === 4 ? LOOPBACK4 : LOOPBACK6;
  askFrom(ANY);
  if (ofGuest) {
    if (!isLoopback(asked, 0, family)) return false;
    setTarget(isSet(aim, 0) ? aim : asked, family, 0);
    // What the kernel would choose needs no asking.
    if (comer[3] !== loopback[3] && !isSet(aim, 0)) askFrom(comer);
    return true;
  }
  if (toGuestLoopback) {
    setTarget(isLoopback(asked, 0, family) ? asked : loopback, family, 0);
    return true;
  }
  for (let word = 0; word < 4; word++) key[KEY_FAR + word] = comer[word]!;
  if (!addressGuest(family, false)) return false;
  for (let word = 0; word < 4; word++) guest[word] = key[KEY_GUEST + word]!;
  setTarget(guest, family, 0);
  return true;
}
