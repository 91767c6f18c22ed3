/**
 * Rounds on a bad wire that a seed tells: a storm is short and wild, a flight is a transfer over a way with a round trip.
 */
import type { TcpWorld } from './tcp_world.ts';

/** `chance(of)` is true once in `of` times, and the same for the same seed. */
function chancesOf(seed: number): (of: number) => boolean {
  let state = seed | 1;
  return (of) => {
    state = Math.imul(state, 1_664_525) + 1_013_904_223;
    return (state >>> 16) % of === 0;
  };
}

/** Some rounds on a bad wire: `seed` tells what is lost, doubled, late or refused, and when time passes. */
export function storm(world: TcpWorld, seed: number): void {
  const chance = chancesOf(seed);
  const { wire } = world;
  for (let rounds = 0; rounds < 12; rounds++) {
    if (chance(6)) world.refusals = 1;
    for (const toGuest of [true, false]) {
      for (let left = wire.count(toGuest); left > 0; left--) {
        if (chance(5)) wire.disturb(toGuest, 'drop', 0);
        else if (chance(8)) wire.disturb(toGuest, 'double', 0, wire.count(toGuest) - 1);
        else if (chance(5)) wire.disturb(toGuest, 'last', 0);
        else world.pass(toGuest, 0);
      }
    }
    if (chance(4)) world.guest.read(500);
    if (chance(4)) world.far?.stream.read(700);
    if (chance(3)) world.advance(chance(2) ? 250 : 1100);
    world.settle();
  }
}

/** Milliseconds there and back, from a link of memory to one around the world and a queue that stands. */
const TRIPS = [0, 4, 40, 300, 2500] as const;
/** One of so many packets is lost, or goes behind so many others. */
const RARITIES = [Number.POSITIVE_INFINITY, 40, 8, 3] as const;

/** What happens to packets on their way; the two directions differ. */
interface Weather {
  loss: number;
  lateness: number;
}

function fly(world: TcpWorld, toGuest: boolean, { loss, lateness }: Weather, chance: (of: number) => boolean): void {
  const { wire } = world;
  for (let left = wire.count(toGuest); left > 0; left--) {
    if (loss !== Number.POSITIVE_INFINITY && chance(loss)) wire.disturb(toGuest, 'drop', 0);
    else if (lateness !== Number.POSITIVE_INFINITY && chance(lateness)) wire.disturb(toGuest, 'last', 0);
    else if (chance(40)) wire.disturb(toGuest, 'double', 0, wire.count(toGuest) - 1);
    else world.pass(toGuest, 0);
  }
}

/** A far end that writes and a guest that reads, mostly, for some round trips; `seed` tells how long these are and what gets lost. */
export function flight(world: TcpWorld, seed: number): void {
  const chance = chancesOf(seed);
  const of = <T>(list: readonly T[]): T => list.find((_, index) => chance(list.length - index)) as T;
  const trip = of(TRIPS);
  const down: Weather = { loss: of(RARITIES), lateness: of(RARITIES) };
  const up: Weather = { loss: of(RARITIES), lateness: of(RARITIES) };
  const portion = of([100, 2000, 20_000]);
  for (let rounds = of([4, 8, 16]); rounds > 0; rounds--) {
    if (chance(2)) world.step({ kind: 'hostWrite', n: portion, turns: true });
    if (chance(12)) world.guest.receiver.renege();
    if (chance(12)) world.step({ kind: 'guestShrink', n: chance(2) ? 0 : 20_000, turns: false });
    world.advance(trip >> 1);
    fly(world, true, down, chance);
    if (!chance(4)) world.guest.read(1 << 20);
    world.advance(trip >> 1);
    fly(world, false, up, chance);
    world.settle();
  }
}
