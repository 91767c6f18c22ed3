/**
 * What a row of the table is: one kind of traffic through one tool, its metrics with their goals, and between whom it goes.
 */
import type { Impairment } from '../test/support/impairment.ts';
import { LOAD_PORT } from '../test/support/load.ts';
import type { Tool, Translator } from '../test/support/translator.ts';
import { HOST4, TARGET4, type Topology } from '../test/support/topology.ts';

export interface Metric {
  readonly name: string;
  readonly unit: string;
  /** Which direction is better. */
  readonly better: 'more' | 'less';
  /** Goal: ratio of ours to the best peer, at least (more) or at most (less). */
  readonly peer?: number;
  /** Goal: ratio of ours to no translator at all. */
  readonly bare?: number;
  /** Goal: a bound on our own figure. */
  readonly bound?: number;
  /** The only peer that is compared with; the others do too little for it. */
  readonly against?: Tool;
}

export interface Subject {
  readonly tool: Tool;
  readonly topology: Topology;
  /** Undefined in rows that start the tool themselves. */
  readonly translator: Translator | undefined;
  /** Seconds of load. */
  readonly seconds: number;
  readonly short: boolean;
}

export interface Row {
  readonly name: string;
  readonly mtu?: number;
  /** Options of pasta and ravioli for this row. */
  readonly options?: readonly string[];
  /** Tools that cannot do this. */
  readonly without?: readonly Tool[];
  /** A bad network in place of the veth pair. */
  readonly impairment?: Impairment;
  /** The guest is behind the socket of a passt. */
  readonly machine?: boolean;
  /** The row starts its tool itself. */
  readonly standalone?: boolean;
  readonly metrics: readonly Metric[];
  /** One measurement; keys are metric names, NaN what the tool has not. Throws when the tool fails. */
  measure(subject: Subject): Promise<Record<string, number>>;
}

/** Ports of the guest that are forwarded in rows from the host's loopback, whose names have the word "spliced" (main.ts). */
const SPLICED_PORTS = `${LOAD_PORT}-${LOAD_PORT + 2}`;
export const SPLICED = {
  options: ['-t', SPLICED_PORTS, '-u', SPLICED_PORTS, '-T', 'none', '-U', 'none'],
  without: ['slirp4netns'],
} as const satisfies Partial<Row>;

/** The same for rows from another host, whose names have the word "published". */
export const WEB_PORT = 8080;
export const PUBLISHED = {
  mtu: 1500,
  options: ['-t', `${SPLICED_PORTS},${WEB_PORT}`, '-u', SPLICED_PORTS, '-T', 'none', '-U', 'none'],
  without: ['slirp4netns'],
} as const satisfies Partial<Row>;

/** The tool of a row that needs one that runs. */
export function guestOf(subject: Subject): Translator {
  if (!subject.translator) throw new Error('this row needs a running tool');
  return subject.translator;
}

/** Where load comes from and goes to: from the guest to the far end, from the host's loopback into the guest, or from the far end. */
export type Way = 'outward' | 'spliced' | 'published';

/** Where load begins, and whom it asks. */
export function endsOf(subject: Subject, way: Way): readonly [namespace: string | number, address: string] {
  switch (way) {
    case 'outward':
      return [guestOf(subject).guest, TARGET4];
    case 'spliced':
      return [subject.topology.host, '127.0.0.1'];
    case 'published':
      return [subject.topology.far, HOST4];
  }
}
