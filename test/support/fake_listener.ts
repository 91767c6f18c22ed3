/** A listening TCP socket of the fake kernel; the test plays who comes. */
import { EAGAIN, EPOLLIN, FakeFile } from './fake_file.ts';

interface Comer {
  file: FakeFile;
  /** 16 bytes. */
  address: Uint8Array;
  port: number;
}

export class FakeListener extends FakeFile {
  closed = false;
  /** errno of the next calls of accept. */
  readonly errors: number[] = [];
  readonly #comers: Comer[] = [];

  poll(): number {
    return this.#comers.length > 0 ? EPOLLIN : 0;
  }

  release(): void {
    this.closed = true;
  }

  /** Somebody connects; `file` is the host kernel's end of the connection. */
  come(file: FakeFile, address: Uint8Array, port: number): void {
    this.#comers.push({ file, address, port });
    this.wake(EPOLLIN);
  }

  /** The next comer, or −errno. */
  accept(): Comer | number {
    const errno = this.errors.shift();
    return errno === undefined ? (this.#comers.shift() ?? -EAGAIN) : -errno;
  }
}
