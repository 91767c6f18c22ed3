/** The worker's end of its channel; the test is the supervisor. */
import { ravioli } from '../../shared/channel.gen.js';
import { EAGAIN, EPOLLIN, EPOLLOUT, FakeFile } from './fake_file.ts';

export class FakeChannel extends FakeFile {
  /** What the worker has said. */
  readonly said: (ravioli.Envelope & ravioli.Envelope.$Shape)[] = [];
  full = false;

  poll(): number {
    return this.full ? 0 : EPOLLOUT;
  }

  release(): void {}

  send(bytes: Uint8Array): number {
    if (this.full) return -EAGAIN;
    this.said.push(ravioli.Envelope.decode(bytes.slice()));
    return bytes.length;
  }

  /** Log lines of one message id: their values. */
  logged(message: number): number[][] {
    return this.said.filter((envelope) => envelope.log?.message === message).map((envelope) => Array.from(envelope.log?.values ?? []));
  }

  /** A reason to look at the channel. */
  poke(): void {
    this.wake(EPOLLIN);
  }
}
