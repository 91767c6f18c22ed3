/**
 * The worker's end of the channel (fd 3). The supervisor is trusted by the worker; what is malformed here is a bug of
 * ours, and the process ends with exit code 3.
 */
import { CHANNEL_FD } from '../shared/roles.ts';
import { MAX_ENVELOPE, MAX_PASSED_DESCRIPTORS } from '../shared/limits.ts';
import { ravioli } from '../shared/channel.gen.js';
import { dropOldest, journal, oldestRecord } from './flow/journal.ts';
import { CHANNEL_IN, CHANNEL_OUT, PASSED_DESCRIPTORS } from './link/arena.ts';
import { kernel } from './link/kernel.ts';
import { bytes, view } from './wire/memory.ts';

const EAGAIN = 11;

/** One message and its descriptors. */
export interface Received {
  envelope: ravioli.Envelope.$Properties;
  fds: number[];
}

/** The next message; null when there is none now, undefined when the supervisor is gone. Throws on a malformed one. */
export function receiveMessage(): Received | null | undefined {
  const length = kernel.receiveWithDescriptors(CHANNEL_FD, CHANNEL_IN, MAX_ENVELOPE, PASSED_DESCRIPTORS, MAX_PASSED_DESCRIPTORS);
  if (length === -EAGAIN) return null;
  if (length === 0) return undefined;
  if (length < 0) throw new Error(`channel: errno ${-length}`);
  const fds: number[] = [];
  for (let i = 0; i < view.getInt32(PASSED_DESCRIPTORS, true); i++) fds.push(view.getInt32(PASSED_DESCRIPTORS + 4 + 4 * i, true));
  // A copy: the decoded message may keep views of its bytes.
  return { envelope: ravioli.Envelope.decode(bytes.slice(CHANNEL_IN, CHANNEL_IN + length)), fds };
}

/** Sends a message. False when the channel is full. */
export function sendMessage(message: ravioli.Envelope.$Properties): boolean {
  const encoded = ravioli.Envelope.encode(message).finish();
  bytes.set(encoded, CHANNEL_OUT);
  return kernel.send(CHANNEL_FD, CHANNEL_OUT, encoded.length, 0) === encoded.length;
}

/** Sends what the journal holds, as far as the channel takes it. */
export function sendJournal(): void {
  for (let at = oldestRecord(); at >= 0; at = oldestRecord()) {
    const values: number[] = [];
    for (let i = 0; i < journal[at + 2]!; i++) values.push(journal[at + 3 + i]!);
    if (!sendMessage({ id: 0, log: { level: journal[at]!, message: journal[at + 1]!, values } })) return;
    dropOldest();
  }
}
