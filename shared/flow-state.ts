/**
 * States of flows, as the worker tells of them in a list.
 */

/** Of TCP those that RFC 9293 §3.3.2 has for our end towards the guest; of datagrams and echo requests whether there was an answer. */
export const FlowState = {
  /** The host's socket is being connected, the guest waits. */
  CONNECTING: 1,
  SYN_SENT: 2,
  SYN_RECEIVED: 3,
  ESTABLISHED: 4,
  FIN_WAIT_1: 5,
  FIN_WAIT_2: 6,
  CLOSE_WAIT: 7,
  CLOSING: 8,
  LAST_ACK: 9,
  TIME_WAIT: 10,
  UNANSWERED: 11,
  ANSWERED: 12,
  /** Hears what single hosts answer to datagrams for a group. */
  HEARING: 13,
} as const;
export type FlowState = (typeof FlowState)[keyof typeof FlowState];

/** Their names for people and programs: `FIN-WAIT-1`. */
export const FLOW_STATES: ReadonlyMap<number, string> = new Map(
  Object.entries(FlowState).map(([name, state]) => [state, name.replaceAll('_', '-')]),
);
