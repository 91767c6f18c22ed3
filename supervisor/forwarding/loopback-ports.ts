/**
 * Which ports of the host's loopback the opener lets the worker use, kept equal to what the listeners need. Pure but for the telling.
 */
import type { PortRange } from './port-range.ts';

const PORTS = 65_536;

/** What a port is needed for: to be reached by TCP or UDP, or to be answered from by UDP. */
export type LoopbackUse = 'reach-tcp' | 'reach-udp' | 'answer-udp';

/** Says that these ports are permitted from now on, or not any more. */
export type TellPorts = (use: LoopbackUse, range: PortRange, permitted: boolean) => void;

/** How many listeners need each port for each use, and what the opener was told. */
export class LoopbackPorts {
  readonly #tell: TellPorts;
  readonly #needed: Readonly<Record<LoopbackUse, Uint16Array>> = {
    'reach-tcp': new Uint16Array(PORTS),
    'reach-udp': new Uint16Array(PORTS),
    'answer-udp': new Uint16Array(PORTS),
  };
  readonly #told: Readonly<Record<LoopbackUse, Uint8Array>> = {
    'reach-tcp': new Uint8Array(PORTS),
    'reach-udp': new Uint8Array(PORTS),
    'answer-udp': new Uint8Array(PORTS),
  };
  readonly #changed = new Set<LoopbackUse>();

  constructor(tell: TellPorts) {
    this.#tell = tell;
  }

  need(use: LoopbackUse, port: number): void {
    this.#needed[use][port]!++;
    this.#changed.add(use);
  }

  release(use: LoopbackUse, port: number): void {
    this.#needed[use][port]!--;
    this.#changed.add(use);
  }

  /** Tells what has changed, in ranges. */
  settle(): void {
    for (const use of this.#changed) {
      const needed = this.#needed[use];
      const told = this.#told[use];
      for (let first = 1; first < PORTS; first++) {
        const permitted = needed[first]! > 0;
        if (permitted === (told[first] === 1)) continue;
        let last = first;
        while (last + 1 < PORTS && needed[last + 1]! > 0 === permitted && permitted !== (told[last + 1] === 1)) last++;
        told.fill(permitted ? 1 : 0, first, last + 1);
        this.#tell(use, { first, last }, permitted);
        first = last;
      }
    }
    this.#changed.clear();
  }
}
