/**
 * The sockets of one protocol that we listen on in one namespace, so that they are not taken for services.
 *
 * They are known by inode: the same port can be somebody else's at another address. A socket whose closing has been ordered is still there
 * until the worker has read that, so it is ours until it is seen no more.
 */
import { PortSet } from '../host/port-set.ts';

export class OwnSockets {
  /** Ports that at least one of them listens on. */
  readonly ports = new PortSet();
  readonly #sockets = new Map<number, number>();
  /** Inodes that are being closed, and whether the walk that goes on has met them. */
  readonly #closing = new Map<number, boolean>();
  /** Sockets of each port. */
  readonly #held = new Map<number, number>();

  /** A socket listens; `inode` is that of its descriptor. */
  add(port: number, inode: number): void {
    this.#sockets.set(inode, port);
    this.#held.set(port, (this.#held.get(port) ?? 0) + 1);
    this.ports.add(port);
  }

  /** The worker was told to close it. */
  remove(inode: number): void {
    const port = this.#sockets.get(inode);
    if (port === undefined) return;
    this.#sockets.delete(inode);
    this.#closing.set(inode, true);
    const left = (this.#held.get(port) as number) - 1;
    if (left > 0) {
      this.#held.set(port, left);
      return;
    }
    this.#held.delete(port);
    this.ports.delete(port);
  }

  /** A walk through all sockets of the namespace begins. */
  beginWalk(): void {
    for (const inode of this.#closing.keys()) this.#closing.set(inode, false);
  }

  /** True when the socket that the walk has met is ours. */
  isOwn(inode: number): boolean {
    if (this.#closing.has(inode)) this.#closing.set(inode, true);
    return this.#sockets.has(inode) || this.#closing.has(inode);
  }

  /** The walk has met all there are. */
  endWalk(): void {
    for (const [inode, met] of this.#closing) if (!met) this.#closing.delete(inode);
  }
}
