/** The worker's end of its socket to an opener; the test is the opener. */
import { OpenerAnswer, OpenerRequest } from '../../shared/opener.ts';
import { OPENER_ANSWER } from '../../shared/limits.ts';
import { EAGAIN, EPOLLHUP, EPOLLIN, EPOLLOUT, FakeFile } from './fake_file.ts';

export interface Request {
  id: number;
  verb: number;
  family: number;
  flags: number;
  hopLimit: number;
  trafficClass: number;
  interface: number;
  sourcePort: number;
  destinationPort: number;
  source: Uint8Array;
  destination: Uint8Array;
}

export interface Answer {
  bytes: Uint8Array;
  file: FakeFile | null;
}

export class FakeOpener extends FakeFile {
  /** Requests that were not answered. */
  readonly requests: Request[] = [];
  /** How many requests the socket takes before it is full. */
  room = Number.POSITIVE_INFINITY;
  gone = false;
  readonly #answers: Answer[] = [];

  poll(): number {
    return (this.#answers.length > 0 || this.gone ? EPOLLIN : 0) | (this.room > 0 ? EPOLLOUT : 0) | (this.gone ? EPOLLHUP : 0);
  }

  release(): void {
    this.gone = true;
  }

  send(bytes: Uint8Array): number {
    if (this.room === 0) return -EAGAIN;
    this.room--;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.requests.push({
      id: view.getUint32(OpenerRequest.ID, true),
      verb: view.getUint8(OpenerRequest.VERB),
      family: view.getUint8(OpenerRequest.FAMILY),
      flags: view.getUint8(OpenerRequest.FLAGS),
      hopLimit: view.getUint8(OpenerRequest.HOP_LIMIT),
      trafficClass: view.getUint8(OpenerRequest.TRAFFIC_CLASS),
      interface: view.getUint32(OpenerRequest.INTERFACE, true),
      sourcePort: view.getUint16(OpenerRequest.SOURCE_PORT, true),
      destinationPort: view.getUint16(OpenerRequest.DESTINATION_PORT, true),
      source: bytes.slice(OpenerRequest.SOURCE, OpenerRequest.SOURCE + 16),
      destination: bytes.slice(OpenerRequest.DESTINATION, OpenerRequest.DESTINATION + 16),
    });
    return bytes.length;
  }

  /** Makes room for `count` more requests. */
  makeRoom(count: number): void {
    this.room += count;
    this.wake(EPOLLOUT);
  }

  /** Answers the oldest request (or `request`) with a socket, or with −errno and none. */
  answer(result: number, file: FakeFile | null, request: Request | undefined = this.requests[0]): void {
    if (request === undefined) throw new Error('nobody has asked the opener');
    const at = this.requests.indexOf(request);
    if (at >= 0) this.requests.splice(at, 1);
    const bytes = new Uint8Array(OPENER_ANSWER);
    const view = new DataView(bytes.buffer);
    view.setUint32(OpenerAnswer.ID, request.id, true);
    view.setInt32(OpenerAnswer.RESULT, result, true);
    this.#answers.push({ bytes, file });
    this.wake(EPOLLIN);
  }

  /** The next answer, undefined when there is none. */
  take(): Answer | undefined {
    return this.#answers.shift();
  }
}
