/**
 * What every TCP connection through the product must do, whichever way it goes: half-closes, resets, slow readers, both directions at once.
 */
import { expect } from 'chai';
import type { Endpoint, Socket } from './endpoint.ts';

const MEGABYTE = 1_000_000;

/** The two ends of one connection. Both are paused when they were accepted, and read when they connected. */
export interface Pair {
  guest: Socket;
  host: Socket;
}

/** A connection made by the guest to an address of `far`. */
export async function outward(guest: Endpoint, far: Endpoint, target: string, port: number, milliseconds?: number): Promise<Pair> {
  const listener = await far.listen(target, port);
  const connecting = guest.connect(target, port, milliseconds);
  const accepted = await listener.accept(milliseconds);
  const pair = { guest: await connecting, host: accepted };
  listener.close();
  return pair;
}

/** A connection made from outside to a forwarded port of the guest. */
export async function inward(guest: Endpoint, from: Endpoint, address: string, port: number): Promise<Pair> {
  const listener = await guest.listen(address.includes(':') ? '::' : '0.0.0.0', port);
  const connecting = from.connect(address, port);
  const accepted = await listener.accept();
  const pair = { guest: accepted, host: await connecting };
  listener.close();
  return pair;
}

/** The message an attempt fails with, or `no error`. */
export function failure(attempt: Promise<unknown>): Promise<string> {
  return attempt.then(
    () => 'no error',
    (error: Error) => error.message,
  );
}

/** Declares the tests of one kind of connection; `connect` makes one on the n-th port. */
export function describeConnection(name: string, connect: (port: number) => Promise<Pair>): void {
  describe(`a connection ${name}`, () => {
    it('carries data after the guest has ended its direction', async () => {
      const pair = await connect(0);
      pair.host.resume();
      pair.guest.resume();
      await pair.guest.send(1000);
      pair.guest.end();
      expect((await pair.host.event('end')).bytes).to.equal(1000);
      await pair.host.send(3 * MEGABYTE);
      pair.host.end();
      expect(await pair.guest.event('end')).to.include({ bytes: 3 * MEGABYTE, good: true });
    });

    it('carries data after the far end has ended its direction', async () => {
      const pair = await connect(1);
      pair.host.resume();
      pair.guest.resume();
      await pair.host.send(1000);
      pair.host.end();
      expect((await pair.guest.event('end')).bytes).to.equal(1000);
      await pair.guest.send(3 * MEGABYTE);
      pair.guest.end();
      expect(await pair.host.event('end')).to.include({ bytes: 3 * MEGABYTE, good: true });
    });

    it('brings a reset by the guest to the far end', async () => {
      const pair = await connect(2);
      pair.host.resume();
      await pair.guest.send(1000);
      await pair.host.received(1000);
      pair.guest.reset();
      expect((await pair.host.event('error')).code).to.equal('ECONNRESET');
    });

    it('brings a reset by the far end to the guest', async () => {
      const pair = await connect(3);
      pair.guest.resume();
      await pair.host.send(1000);
      await pair.guest.received(1000);
      pair.host.reset();
      expect((await pair.guest.event('error')).code).to.equal('ECONNRESET');
    });

    it('waits for a guest that does not read, and goes on when it does', async () => {
      const pair = await connect(4);
      pair.guest.pause();
      const sent = pair.host.send(40 * MEGABYTE);
      const early = await Promise.race([sent, new Promise((resolve) => setTimeout(() => resolve('waiting'), 1500))]);
      expect(early, 'buffers on the way are smaller than 40 MB').to.equal('waiting');
      pair.guest.resume();
      await pair.guest.received(40 * MEGABYTE, 20_000);
      await sent;
      pair.guest.reset();
    });

    it('waits for a far end that does not read, and goes on when it does', async () => {
      const pair = await connect(5);
      pair.host.pause();
      const sent = pair.guest.send(60 * MEGABYTE);
      const early = await Promise.race([sent, new Promise((resolve) => setTimeout(() => resolve('waiting'), 1500))]);
      expect(early, 'buffers on the way are smaller than 60 MB').to.equal('waiting');
      pair.host.resume();
      await pair.host.received(60 * MEGABYTE, 20_000);
      await sent;
      pair.guest.reset();
    });

    it('carries both directions at once', async () => {
      const pair = await connect(6);
      pair.host.resume();
      pair.guest.resume();
      const both = Promise.all([pair.host.received(20 * MEGABYTE), pair.guest.received(20 * MEGABYTE)]);
      await Promise.all([pair.guest.send(20 * MEGABYTE), pair.host.send(20 * MEGABYTE)]);
      await both;
      pair.guest.end();
      pair.host.end();
      await Promise.all([pair.guest.event('close'), pair.host.event('close')]);
    });
  });
}
