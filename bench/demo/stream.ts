/**
 * What both ends do with a connection: send the sequence as fast as it goes for a while, or receive it and compare every byte.
 */
import type net from 'node:net';
import { fits, piece } from './pattern.ts';

/** Bytes of one write: large, so that the end is not what limits the transfer. */
const WRITE = 1 << 20;

/** What was received until the other end closed its direction. */
export interface Received {
  readonly bytes: number;
  /** Every byte is what was sent. */
  readonly same: boolean;
}

/** Sends the sequence for so many milliseconds, then closes our direction; resolves with the number of bytes. */
export function sendFor(socket: net.Socket, milliseconds: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const end = performance.now() + milliseconds;
    let sent = 0;
    const more = (): void => {
      while (performance.now() < end) {
        const next = piece(sent, WRITE);
        sent += next.length;
        if (!socket.write(next)) {
          socket.once('drain', more);
          return;
        }
      }
      socket.end();
      resolve(sent);
    };
    socket.once('error', reject);
    more();
  });
}

/** Compares what arrives with the sequence; `take` is to be called with each piece. */
export class Comparison {
  #bytes = 0;
  #same = true;

  take(data: Uint8Array): void {
    this.#same &&= fits(data, this.#bytes);
    this.#bytes += data.length;
  }

  result(): Received {
    return { bytes: this.#bytes, same: this.#same };
  }
}
