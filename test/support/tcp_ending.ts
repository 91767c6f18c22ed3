/**
 * How a run of the model ends: the faults go, everything that is due happens, and both sides must have seen the same.
 */
import { KIND, ROW, rows, TCP } from '../../worker/flow/row.ts';
import { flowCount } from '../../worker/flow/table.ts';
import { RTO, SRTT } from '../../worker/tcp/row.ts';
import { pattern } from './tcp_dialogue.ts';
import { describeFlow } from './tcp_invariants.ts';
import type { Connection, Far, TcpWorld } from './tcp_world.ts';

const HEAL_LIMIT_MS = 1_800_000;
/** A guest that is gone without a word is noticed after two hours when there is nothing to tell it. */
const IDLE_HEAL_LIMIT_MS = 7_300_000;
/** What delayed ACKs and timers of whole milliseconds may add to a retransmission timeout. */
const SLACK_MS = 1100;

/** No more faults: everything that is due happens, both applications read everything and close. */
export function heal(world: TcpWorld): void {
  world.refusals = 0;
  world.bench.kernel.faults.clear();
  world.settle();
  const start = world.now;
  const stall = new StallWatch(world);
  for (let quiet = 0; quiet < 3; ) {
    finishApplications(world);
    stall.look();
    if (world.exchange() || world.fars.some(({ stream }) => stream.outgoing.length > 0)) {
      quiet = 0;
      continue;
    }
    const wait = soonest(world);
    // A reset that was lost is not sent again: the guest has to ask.
    if (wait !== null) world.advance(wait);
    else if (quiet++ === 0) world.guest.keepAlive();
    world.settle();
    if (world.now - start > (world.guest.state === 'aborted' ? IDLE_HEAL_LIMIT_MS : HEAL_LIMIT_MS))
      throw new Error(`no end is reached in half an hour: ${describeWorld(world)}`);
  }
}

function finishApplications(world: TcpWorld): void {
  world.guest.receiver.buffer = world.options.buffer;
  while (world.bench.kernel.opener.requests.length > 0) world.answerOpener();
  world.call();
  for (const { stream } of world.fars) {
    world.accept(stream);
    stream.sendLimits.length = 0;
    if (!stream.connected) continue;
    stream.read(1 << 20);
    stream.end();
  }
  // What an earlier connection has brought can be read when it is over.
  for (const { guest } of world.connections) guest.read(1 << 20);
  world.guest.close();
}

function describeWorld(world: TcpWorld): string {
  const flows = world.bench.takenRows().map((flow) => describeFlow(flow * ROW));
  return `the guest is ${world.guest.state}, ${flows.join()}`;
}

/** Milliseconds until either side's next deadline; null when there is none. */
function soonest(world: TcpWorld): number | null {
  const guest = world.untilGuest();
  const wait = world.bench.wait();
  if (guest === null) return wait < 0 ? null : wait;
  return wait < 0 ? guest : Math.min(guest, wait);
}

/** The timeout of a flow, which a hole that is judged within a round trip may begin anew: milliseconds. */
function longest(row: number): number {
  return (rows[row + RTO] as number) + Math.ceil((rows[row + SRTT] as number) / 1000);
}

/** With the faults gone, the first retransmission gets through: nothing stands still for longer than the timeouts were when it stopped. */
class StallWatch {
  readonly #world: TcpWorld;
  #state = '';
  #since = 0;
  #allowed = 0;

  constructor(world: TcpWorld) {
    this.#world = world;
  }

  look(): void {
    const world = this.#world;
    const { guest, connection } = world;
    const far = connection.far?.stream;
    const { sender, receiver } = guest;
    const facts = [guest.state, world.fars.length, sender.una, receiver.nxt, far?.taken, far?.farReceived.length, far?.closed, flowCount];
    const state = facts.join();
    // One that knows only half of a connection has to wait for the other to give up.
    const halfOpen = world.bench.counter('tcp_expired') > 0;
    if (state !== this.#state || halfOpen || guest.over || guest.state === 'listen') {
      this.#state = state;
      this.#since = world.now;
      const timeouts = world.bench.takenRows().map((flow) => (rows[flow * ROW + KIND] === TCP ? longest(flow * ROW) : 0));
      this.#allowed = Math.max(sender.timeout, ...timeouts) + SLACK_MS;
    } else if (world.now - this.#since > this.#allowed)
      throw new Error(`nothing has moved for ${world.now - this.#since} ms (${this.#allowed} are allowed): ${describeWorld(world)}`);
  }
}

/** What both ends must finally have seen, of each connection; and that nothing is left. */
export function expectHonesty(world: TcpWorld): void {
  // The worker may end a connection when a call fails, and when a handshake takes too long; both are to know of it.
  const faulted = world.bench.kernel.failed.length + world.bench.counter('tcp_expired') > 0;
  for (const connection of world.connections) expectHonest(connection, faulted);
  for (const far of world.fars) {
    if (!far.stream.closed) throw new Error('a socket was left open');
    const joined = world.connections.some((connection) => connection.far === far);
    if (far.calls && !joined && !far.reset && !far.stream.farSawReset)
      throw new Error('a far end has called, got nobody, and was not reset');
  }
  world.bench.expectNothingLeft();
}

function expectHonest({ guest, far, base, written, forgotten }: Connection, faulted: boolean): void {
  if (guest.state === 'listen' || guest.state === 'refused') return;
  if (!guest.over) throw new Error(`the guest's connection is still ${guest.state}`);
  if (guest.state === 'gave-up') throw new Error('the guest has given up');
  const received = guest.receiver.received.peek(0, Number.MAX_SAFE_INTEGER);
  const farReceived = far?.stream.farReceived.peek(0, Number.MAX_SAFE_INTEGER) ?? new Uint8Array(0);
  if (Buffer.compare(received, pattern(received.length, far?.base ?? 0)) !== 0)
    throw new Error('the guest has received other bytes than were sent');
  if (Buffer.compare(farReceived, pattern(farReceived.length, base)) !== 0)
    throw new Error('the far end has received other bytes than were sent');
  if (far === null) return;
  const wholeToFar = far.stream.farSawEnd && farReceived.length === written;
  if (guest.state === 'done') expectDone(far, received.length, wholeToFar, faulted || forgotten);
  else if (guest.state === 'reset') {
    if (far.reset) return;
    if (!faulted) throw new Error('the guest was reset and nobody has asked for it');
    if (!far.stream.farSawReset && !wholeToFar) throw new Error('the guest was reset and the far end not told');
  } else if (!far.reset && !far.stream.farSawReset && !wholeToFar) throw new Error('the far end was not told of the reset');
}

/** The guest believes that all is well. */
function expectDone(far: Far, received: number, wholeToFar: boolean, mayReset: boolean): void {
  if (received !== far.written) throw new Error(`the guest has received ${received} of ${far.written} bytes`);
  if (far.reset) {
    if (!far.stream.farEnded) throw new Error('the far end has reset and the guest saw the end of the stream');
    return;
  }
  if (mayReset && far.stream.farSawReset) return;
  if (!wholeToFar) throw new Error(`the far end has received ${far.stream.farReceived.length} bytes, its end: ${far.stream.farSawEnd}`);
  if (far.stream.farSawReset) throw new Error('the far end was reset after all was said');
}
