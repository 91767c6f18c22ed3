/**
 * The opener of the host's namespace, with the sockets that were handed in: where one of them listens already, nothing is bound.
 *
 * Each is given once; whoever asks for its port after its rule has gone asks the opener, as for any other.
 */
import { isUnspecified, sameAddress } from '../../shared/addresses.ts';
import type { HandedSocket } from '../host/handed-sockets.ts';
import type { ListenQuestion, OpenerReply } from '../opener.ts';
import type { ListeningOpener } from './listeners.ts';

function listensWhere({ protocol, port, address, both, link }: ListenQuestion, socket: HandedSocket): boolean {
  if (socket.protocol !== protocol || socket.port !== port || socket.link !== link) return false;
  return socket.address === null ? isUnspecified(address) : !both && sameAddress(socket.address, address);
}

export class HandedOpener implements ListeningOpener {
  readonly #opener: ListeningOpener;
  readonly #sockets: Set<HandedSocket>;
  /** A socket for each question that was not passed on, in their order; null = the opener will answer. */
  readonly #answers: (HandedSocket | null)[] = [];

  /** The sockets are prepared (`prepareSocket`), and belong to it from now on. */
  constructor(opener: ListeningOpener, sockets: readonly HandedSocket[]) {
    this.#opener = opener;
    this.#sockets = new Set(sockets);
  }

  postListener(question: ListenQuestion): void {
    for (const socket of this.#sockets) {
      if (!listensWhere(question, socket)) continue;
      this.#sockets.delete(socket);
      this.#answers.push(socket);
      return;
    }
    this.#answers.push(null);
    this.#opener.postListener(question);
  }

  collectListener(protocol: 'tcp' | 'udp'): OpenerReply {
    const socket = this.#answers.shift() ?? null;
    return socket === null ? this.#opener.collectListener(protocol) : { result: socket.port, descriptor: socket.descriptor };
  }

  setPorts(...change: Parameters<ListeningOpener['setPorts']>): void {
    this.#opener.setPorts(...change);
  }
}
