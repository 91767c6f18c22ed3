/**
 * Flows of a kernel that is one bad link away from the product: what both applications must see, whatever the link does.
 */
import { expect } from 'chai';
import { outward } from './connections.ts';
import { type DistantGuest, makeDistantGuest } from './distant_guest.ts';
import { type Endpoint, type Socket, startEndpoint } from './endpoint.ts';
import type { Carried, Impairment, Way } from './impairment.ts';
import { makeTopology, type Topology } from './topology.ts';
import { startTranslator, type Translator } from './translator.ts';

/** For a SYN that is lost several times, or the last ACK. */
const PATIENCE = 40_000;
const MTU = 1500;

export interface Rig {
  readonly topology: Topology;
  readonly translator: Translator;
  readonly far: Endpoint;
  remove(): Promise<void>;
}

/** The product, telling of each flow's beginning and end, and a far end. */
export async function makeRig(): Promise<Rig> {
  const topology = makeTopology();
  const translator = await startTranslator('ravioli', topology, { mtu: MTU, options: ['-d'] });
  const far = await startEndpoint({ namespace: topology.far });
  return {
    topology,
    translator,
    far,
    async remove() {
      await far.stop();
      await translator.stop();
      topology.remove();
    },
  };
}

/** What happens to fewer frames than this on average may happen to none. */
const CERTAIN = 15;

/** Runs `work` with a guest behind a bad link, which must have done what it was asked to, and nothing else. */
export async function behind(rig: Rig, bad: Impairment, work: (guest: DistantGuest) => Promise<void>): Promise<void> {
  const guest = await makeDistantGuest(rig.topology, rig.translator, bad);
  let carried: { out: Carried; in: Carried } | undefined;
  try {
    await work(guest);
  } finally {
    carried = await guest.stop();
  }
  for (const way of ['out', 'in'] as const) {
    const asked: Way = { ...bad, ...bad[way] };
    const did = carried[way];
    expect(did.overflowed, `frames lost on the way ${way} that were not to be`).to.equal(0);
    const pairs = [
      [asked.loss, did.lost],
      [asked.reorder, did.reordered],
      [asked.duplicate, did.duplicated],
      [asked.corrupt, did.corrupted],
    ] as const;
    for (const [percent = 0, frames] of pairs) {
      if (frames === 0) expect((did.carried * percent) / 100, `${way}: ${JSON.stringify(did)}`).to.be.below(CERTAIN);
      if (percent === 0) expect(frames).to.equal(0);
    }
  }
}

/** Ends one direction; the other end has then seen so many bytes, all as they were sent. */
async function finish(from: Socket, to: Socket, bytes: number): Promise<void> {
  from.end();
  expect(await to.event('end', PATIENCE)).to.include({ bytes, good: true });
}

/**
 * One connection that carries `out` bytes from the guest and `into` bytes to it, both at once, and is closed by both. The guest begins with
 * that, so that the TIME-WAIT is the guest's, and the product's flow ends with the last ACK.
 */
export async function exchange(
  rig: Rig,
  guest: DistantGuest,
  target: string,
  port: number,
  bytes: { out: number; into: number },
): Promise<void> {
  const endpoint = await startEndpoint({ namespace: guest.namespace });
  const pair = await outward(endpoint, rig.far, target, port, PATIENCE);
  pair.host.resume();
  await Promise.all([pair.guest.send(bytes.out, PATIENCE), pair.host.send(bytes.into, PATIENCE)]);
  await finish(pair.guest, pair.host, bytes.out);
  await finish(pair.host, pair.guest, bytes.into);
  await Promise.all([pair.guest.event('close', PATIENCE), pair.host.event('close', PATIENCE)]);
  const [, , reason] = await rig.translator.waitFor(new RegExp(`flow (\\d+) ended: TCP guest port \\d+, far port ${port}(.*)`), PATIENCE);
  expect(reason, 'why the flow ended').to.equal('');
  await endpoint.stop();
}
