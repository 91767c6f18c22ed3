/**
 * The supervisor's end of an opener: the set-up verbs of shared/opener.ts.
 *
 * A question can be posted before the opener's program has even been loaded, and its answer collected when it is needed. The answers come
 * in order and within tens of microseconds, so waiting for one here costs less than a turn of the loop would.
 */
import type { Native } from '../native/supervisor.d.ts';
import { familyOf } from '../shared/addresses.ts';
import { OPENER_ANSWER, OPENER_REQUEST } from '../shared/limits.ts';
import { ListenFlag, Notice, OpenerAnswer, OpenerRequest, PortsFlag, Verb } from '../shared/opener.ts';
import { explain } from './explain.ts';
import { UsageError } from './usage-error.ts';

/** How long an opener may take: it has to be started, and may wait for the kernel's network configuration lock. */
const ANSWER_MS = 10_000;

const EAGAIN = 11;
const ECONNRESET = 104;
const NONE = new Uint8Array(0);

/** Fields of shared/opener.ts OpenerRequest; what is left out is 0. */
interface Question {
  readonly verb: Verb;
  readonly family: 4 | 6;
  readonly flags?: number;
  readonly link?: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly source?: Uint8Array;
  readonly destination?: Uint8Array;
}

/** An opener's answer: `result` as `Verb` says, −errno included, and the descriptor, now ours, where one came. */
export interface OpenerReply {
  readonly result: number;
  readonly descriptor: number | null;
}

/** A listening socket to be made. */
export interface ListenQuestion {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  /** 16 bytes; any is 0.0.0.0 or ::. */
  readonly address: Uint8Array;
  /** `address` is ::, and IPv4 comes as well. */
  readonly both: boolean;
  readonly freeBind: boolean;
  /** Index of the only link that it listens on, 0 = all. */
  readonly link: number;
}

/** Subjects of `explain`. */
export interface NamespaceNames {
  readonly 'join-user-namespace': string;
  readonly 'join-network-namespace': string;
}

const UNNAMED: NamespaceNames = { 'join-user-namespace': '', 'join-network-namespace': '' };

const LISTEN = { tcp: Verb.TCP_LISTEN, udp: Verb.UDP_LISTEN } as const;
const PORTS_USE = { 'reach-tcp': 0, 'reach-udp': PortsFlag.UDP, 'answer-udp': PortsFlag.UDP | PortsFlag.ANSWER } as const;

/** One opener, seen from its SUPERVISOR_FD. */
export class Opener {
  readonly #native: Native;
  readonly #socket: number;
  readonly #place: 'host' | 'guest';
  readonly #joins: NamespaceNames;

  /** `socket` is our end, non-blocking; `joins` is what it joins, as `explain` names it. */
  constructor(native: Native, socket: number, place: 'host' | 'guest', joins: NamespaceNames = UNNAMED) {
    this.#native = native;
    this.#socket = socket;
    this.#place = place;
    this.#joins = joins;
  }

  /** Sends a question. `name` is the interface of Verb.TAP. */
  post(verb: Verb, name = ''): void {
    // Which family is asked for means nothing to these verbs, but the field must hold one.
    this.#send({ verb, family: 4, destination: Buffer.from(name) });
  }

  /**
   * Says which address of the host's loopback is its resolver of a family; null = none is. Verb.RESOLVER.
   * @throws Error when the opener does not take it.
   */
  setResolver(family: 4 | 6, address: Uint8Array | null): void {
    this.#send({ verb: Verb.RESOLVER, family, destination: address ?? new Uint8Array(0) });
    const { result } = this.collect(Verb.RESOLVER);
    if (result !== 0) {
      throw new Error(`${this.#name()} does not take the resolver (errno ${-result})`);
    }
  }

  /**
   * Lets the worker use ports of the host's loopback, or not any more. Verb.PORTS.
   * @throws Error when the opener does not take it.
   */
  setPorts(use: keyof typeof PORTS_USE, { first, last }: { first: number; last: number }, permitted: boolean): void {
    const flags = PORTS_USE[use] | (permitted ? 0 : PortsFlag.WITHDRAW);
    this.#send({ verb: Verb.PORTS, family: 4, flags, sourcePort: first, destinationPort: last });
    const { result } = this.collect(Verb.PORTS);
    if (result !== 0) {
      throw new Error(`${this.#name()} does not take the ports ${first}-${last} (errno ${-result})`);
    }
  }

  /**
   * Names the source or the link of sockets to the outside; before the seal. Verb.OUTBOUND.
   * @returns 0, or −errno of a socket that was made to try it
   */
  setOutbound(family: 4 | 6, { source, link }: { source?: Uint8Array; link?: number }): number {
    this.#send({ verb: Verb.OUTBOUND, family, ...(source === undefined ? {} : { source }), ...(link === undefined ? {} : { link }) });
    return this.collect(Verb.OUTBOUND).result;
  }

  /** Asks for a listening socket. */
  postListener({ protocol, port, address, both, freeBind, link }: ListenQuestion): void {
    this.#send({
      verb: LISTEN[protocol],
      family: familyOf(address),
      flags: (both ? ListenFlag.BOTH_FAMILIES : 0) | (freeBind ? ListenFlag.FREE_BIND : 0),
      link,
      sourcePort: port,
      source: address,
    });
  }

  /** Waits for the answer to the oldest question, which was `postListener` of that protocol. */
  collectListener(protocol: 'tcp' | 'udp'): OpenerReply {
    return this.collect(LISTEN[protocol]);
  }

  #send(question: Question): void {
    const request = new Uint8Array(OPENER_REQUEST);
    const view = new DataView(request.buffer);
    view.setUint8(OpenerRequest.FAMILY, question.family);
    view.setUint8(OpenerRequest.VERB, question.verb);
    view.setUint8(OpenerRequest.FLAGS, question.flags ?? 0);
    view.setUint32(OpenerRequest.ID, question.verb, true);
    view.setInt32(OpenerRequest.INTERFACE, question.link ?? 0, true);
    view.setUint16(OpenerRequest.SOURCE_PORT, question.sourcePort ?? 0, true);
    view.setUint16(OpenerRequest.DESTINATION_PORT, question.destinationPort ?? 0, true);
    request.set(question.source ?? NONE, OpenerRequest.SOURCE);
    request.set(question.destination ?? NONE, OpenerRequest.DESTINATION);
    const sent = this.#native.sendWithDescriptors(this.#socket, request, []);
    if (sent < 0) {
      // It has ended; why, it may have said.
      const answer = this.#receive();
      if (answer !== null && typeof answer !== 'number') this.#heed(answer.bytes);
      throw new Error(`${this.#name()} can't be asked (errno ${-sent})`);
    }
  }

  /**
   * Waits for the answer to the oldest question that has none yet, which must be `verb`.
   * @throws Error when there is no answer, or one that isn't to this question.
   */
  collect(verb: Verb): OpenerReply {
    for (;;) {
      const answer = this.#receive();
      if (answer === -EAGAIN) {
        if (this.#native.waitReadable(this.#socket, ANSWER_MS) <= 0) {
          throw new Error(`${this.#name()} gave no answer to verb ${verb}`);
        }
        continue;
      }
      if (answer === null || typeof answer === 'number') {
        throw new Error(`${this.#name()} ended instead of answering verb ${verb}; start with --debug to see why`);
      }
      return this.#check(answer, verb);
    }
  }

  /** Posts and collects. */
  ask(verb: Verb, name = ''): OpenerReply {
    this.post(verb, name);
    return this.collect(verb);
  }

  /** An end that left questions unread is told of before what was said earlier. */
  #receive(): ReturnType<Native['receiveWithDescriptors']> {
    const answer = this.#native.receiveWithDescriptors(this.#socket, OPENER_ANSWER);
    return answer === -ECONNRESET ? this.#native.receiveWithDescriptors(this.#socket, OPENER_ANSWER) : answer;
  }

  #check(answer: { bytes: Uint8Array; fds: number[] }, verb: Verb): OpenerReply {
    const { bytes, fds } = answer;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#heed(bytes);
    if (bytes.length !== OPENER_ANSWER || view.getUint32(OpenerAnswer.ID, true) !== verb || fds.length > 1) {
      for (const fd of fds) {
        this.#native.close(fd);
      }
      throw new Error(`${this.#name()} gave a malformed answer to verb ${verb}`);
    }
    return { result: view.getInt32(OpenerAnswer.RESULT, true), descriptor: fds[0] ?? null };
  }

  /** Throws UsageError when it is no answer but the reason why there won't be one. */
  #heed(bytes: Uint8Array): void {
    if (bytes.length !== OPENER_ANSWER) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const id = view.getUint32(OpenerAnswer.ID, true);
    const step = id === Notice.USER_NAMESPACE ? 'join-user-namespace' : id === Notice.NETWORK_NAMESPACE ? 'join-network-namespace' : null;
    if (step !== null) throw new UsageError(explain(step, -view.getInt32(OpenerAnswer.RESULT, true), this.#joins[step]));
  }

  #name(): string {
    return `the opener of the ${this.#place}'s network`;
  }
}
