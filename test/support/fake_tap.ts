/** The tap device of the fake kernel: frames both ways, with a virtio-net header, and refusals. */
import { EAGAIN, EPOLLIN, EPOLLOUT, FakeFile } from './fake_file.ts';

export class FakeTap extends FakeFile {
  /** Frames the worker wrote, oldest first. */
  readonly toGuest: Uint8Array[] = [];
  /** Asked before each write: 0, or the errno to refuse it with. */
  refuse: (frame: Uint8Array) => number = () => 0;
  /** errno of the next read, 0: none. */
  readError = 0;
  readonly #fromGuest: Uint8Array[] = [];

  poll(): number {
    return EPOLLOUT | (this.#fromGuest.length > 0 || this.readError !== 0 ? EPOLLIN : 0);
  }

  release(): void {}

  write(bytes: Uint8Array): number {
    const errno = this.refuse(bytes);
    if (errno !== 0) return -errno;
    this.toGuest.push(bytes.slice());
    return bytes.length;
  }

  read(): Uint8Array | number {
    if (this.readError !== 0) return -this.readError;
    return this.#fromGuest.shift() ?? -EAGAIN;
  }

  /** The guest sends a frame. */
  send(frame: Uint8Array): void {
    this.#fromGuest.push(frame);
    this.wake(EPOLLIN);
  }
}
