/**
 * A machine by hand, at the socket of passt: it asks by ARP, and counts what it reads.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Bytes of the answer to `arpRequest`. */
export const REPLY = 64;

/** Who has the gateway's address: answered at once, by a frame of 60 bytes. */
export function arpRequest(): Buffer {
  const frame = Buffer.from('ffffffffffff02000000007708060001080006040001020000000077c0000202000000000000c0000201', 'hex');
  return prefixed(frame);
}

/** A frame as it goes through the socket. */
export function prefixed(frame: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(frame.length);
  return Buffer.concat([length, frame]);
}

/** A client that connects to a path, or has been connected. */
export class MachineClient {
  readonly socket: Socket;
  received = 0;
  readonly closed: Promise<unknown>;

  constructor(where: string | Socket) {
    this.socket = typeof where === 'string' ? connect(where) : where;
    this.socket.on('error', () => undefined);
    this.socket.on('data', (bytes: Buffer) => {
      this.received += bytes.length;
      this.socket.emit('counted');
    });
    this.closed = once(this.socket, 'close');
  }

  async receives(bytes: number): Promise<void> {
    while (this.received < bytes) await once(this.socket, 'counted');
  }

  /** Asks, and waits for the answer. */
  async asks(): Promise<void> {
    const before = this.received;
    this.socket.write(arpRequest());
    await this.receives(before + REPLY);
  }

  async leaves(): Promise<void> {
    this.socket.destroy();
    await this.closed;
  }
}
