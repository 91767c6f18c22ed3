/** Connections in the states that the tests of a standard begin with, and what their two ends have seen. */
import { expect } from 'chai';
import { addressFromBytes } from '../../shared/addresses.ts';
import { rows } from '../../worker/flow/row.ts';
import { key, KEY_FAR, KEY_GUEST } from '../../worker/flow/table.ts';
import { openToGuest } from '../../worker/tcp/inbound.ts';
import { RCV_SHIFT, SRTT } from '../../worker/tcp/row.ts';
import { ACK, FIN, type Segment } from '../support/guest_frame.ts';
import { Dialogue, type DialogueOptions, FAR_PORT, GUEST_PORT, pattern } from '../support/tcp_dialogue.ts';

/** The guest's SYN is at the opener: the far end has not answered. */
export function connecting(options: DialogueOptions = {}): Dialogue {
  const dialogue = new Dialogue(options);
  dialogue.sendSyn();
  dialogue.bench.kernel.opener.answer(0, dialogue.stream);
  dialogue.bench.settle();
  return dialogue;
}

/** SYN-RECEIVED: the SYN|ACK is on its way; `dialogue.ack` acknowledges it. */
export function synReceived(options: DialogueOptions = {}): { dialogue: Dialogue; synAck: Segment } {
  const dialogue = connecting(options);
  dialogue.stream.accept();
  const [synAck] = dialogue.seen();
  if (synAck === undefined) throw new Error('no SYN|ACK came');
  dialogue.ack = (synAck.seq + 1) | 0;
  return { dialogue, synAck };
}

/** SYN-SENT: the far end has called, and the guest has our SYN. `dialogue.ack` acknowledges it. */
export function synSent(options: DialogueOptions = {}): { dialogue: Dialogue; syn: Segment } {
  const dialogue = new Dialogue(options);
  dialogue.stream.accept();
  const fd = dialogue.bench.kernel.install(dialogue.stream);
  const { guest, far } = dialogue.ends;
  const words = new DataView(Uint8Array.from([...addressFromBytes(guest), ...addressFromBytes(far)]).buffer);
  for (let word = 0; word < 4; word++) {
    key[KEY_GUEST + word] = words.getInt32(4 * word);
    key[KEY_FAR + word] = words.getInt32(16 + 4 * word);
  }
  expect(openToGuest(fd, (GUEST_PORT << 16) | FAR_PORT)).to.equal(true);
  const [syn] = dialogue.seen();
  if (syn === undefined) throw new Error('no SYN came');
  dialogue.ack = (syn.seq + 1) | 0;
  return { dialogue, syn };
}

/** TIME-WAIT: our FIN went first, and the guest's was acknowledged. */
export function timeWait(options: DialogueOptions = {}): Dialogue {
  const dialogue = established(options);
  hostFin(dialogue);
  dialogue.acknowledge(dialogue.ack + 1);
  sendFin(dialogue);
  dialogue.bench.advance(10);
  dialogue.seen();
  return dialogue;
}

/** ESTABLISHED, without anything in flight; windows of the guest are not scaled unless asked for. */
export function established(options: DialogueOptions = {}): Dialogue {
  const dialogue = new Dialogue({ windowScale: 0, ...options });
  dialogue.establish();
  return dialogue;
}

/** ESTABLISHED with a guest that permits SACK, whose answers have taken `trip` ms so often that the worker knows. */
export function distant(trip: number, options: DialogueOptions = {}): Dialogue {
  const dialogue = established({ mss: 1000, sackPermitted: true, ...options });
  for (let round = 0; round < 60; round++) {
    dialogue.stream.write(pattern(100));
    dialogue.seen();
    dialogue.bench.advance(trip);
    dialogue.acknowledge(dialogue.ack + 100);
  }
  expect(rows[dialogue.row() + SRTT]).to.be.within(trip * 950, trip * 1050);
  return dialogue;
}

/** The guest's FIN, behind `payload`; what it is answered by at once. */
export function sendFin(dialogue: Dialogue, payload: Uint8Array = new Uint8Array(0)): Segment[] {
  const answers = dialogue.sendData(payload, ACK | FIN);
  dialogue.seq = (dialogue.seq + 1) | 0;
  return answers;
}

/** The host's FIN; returns it, and leaves it unacknowledged. */
export function hostFin(dialogue: Dialogue): Segment {
  dialogue.stream.end();
  const fin = dialogue.seen().at(-1);
  if (fin === undefined || (fin.flags & FIN) === 0) throw new Error('no FIN came');
  return fin;
}

/** Everything that the far end has got of the guest's stream. */
export function farText(dialogue: Dialogue): Uint8Array {
  do {
    dialogue.stream.read(1 << 20);
    dialogue.bench.settle();
  } while (dialogue.stream.outgoing.length > 0);
  dialogue.stream.read(0);
  return dialogue.stream.farReceived.peek(0, 1 << 24);
}

/** The payloads of segments, one after the other. */
export function bytesOf(segments: readonly Segment[]): Uint8Array {
  return Uint8Array.from(segments.flatMap(({ payload }) => Array.from(payload)));
}

/** The host writes `count` pieces of `size` bytes, each sent in a frame of its own; returns those frames. */
export function sendPieces(dialogue: Dialogue, count: number, size = 1000, from = 0): Segment[] {
  const sent: Segment[] = [];
  for (let piece = 0; piece < count; piece++) {
    dialogue.stream.write(pattern(size, from + piece * size));
    sent.push(...dialogue.seen());
  }
  expect(sent.map(({ payload }) => payload.length)).to.deep.equal(new Array(count).fill(size));
  return sent;
}

/** What comes within `limit` ms, each with the ms from now. */
export function arrivals(dialogue: Dialogue, limit: number, step = 1): { at: number; segment: Segment }[] {
  const found: { at: number; segment: Segment }[] = [];
  for (let at = step; at <= limit; at += step) {
    dialogue.bench.advance(step);
    for (const segment of dialogue.seen()) found.push({ at, segment });
  }
  return found;
}

/** The guest sends until its window is closed, while the far end reads nothing; returns how many bytes it sent. */
export function fillWindow(dialogue: Dialogue): number {
  const shift = Math.max(rows[dialogue.row() + RCV_SHIFT] as number, 0);
  const edgeOf = (segment: Segment): number => (segment.ack + (segment.window << shift)) | 0;
  let edge = edgeOf(dialogue.send(ACK, { seq: (dialogue.seq - 1) | 0 })[0] as Segment);
  let sent = 0;
  for (let room = (edge - dialogue.seq) | 0; room > 0; room = (edge - dialogue.seq) | 0) {
    const length = Math.min(room, 1400);
    const answers = dialogue.sendData(pattern(length, sent));
    sent += length;
    dialogue.bench.advance(5);
    for (const answer of [...answers, ...dialogue.seen()]) if (((edgeOf(answer) - edge) | 0) > 0) edge = edgeOf(answer);
  }
  return sent;
}
