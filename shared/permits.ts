/**
 * Who may say what, and when. Nothing is permitted by default; anything else ends the worker.
 */

/** The worker's life as the supervisor sees it. */
export const Phase = { STARTED: 0, GREETED: 1, CONFIGURED: 2, SEALING: 3, SEALED: 4, RUNNING: 5, DRAINING: 6 } as const;
export type Phase = (typeof Phase)[keyof typeof Phase];

/** Bodies a worker may send in each phase. It may never attach a descriptor. */
export const PERMITTED_FROM_WORKER: Readonly<Record<Phase, readonly string[]>> = {
  [Phase.STARTED]: ['hello'],
  [Phase.GREETED]: [],
  [Phase.CONFIGURED]: [],
  [Phase.SEALING]: ['sealed'],
  [Phase.SEALED]: ['settled', 'noRoom'],
  [Phase.RUNNING]: ['log', 'status', 'flows', 'settled', 'noRoom', 'linkGone'],
  [Phase.DRAINING]: ['log', 'status', 'flows', 'settled', 'noRoom', 'linkGone', 'drained'],
};

/** Descriptors of a body that has one for each of its items, and 1 at least. */
export const EACH = -1;

/** Bodies a supervisor may send in each phase, and how many descriptors each carries. */
export const PERMITTED_FROM_SUPERVISOR: Readonly<Record<Phase, Readonly<Record<string, number>>>> = {
  [Phase.STARTED]: { memory: 1 },
  [Phase.GREETED]: { config: 0 },
  [Phase.CONFIGURED]: { seal: 0 },
  [Phase.SEALING]: {},
  [Phase.SEALED]: { grant: 1, resolvers: 0, listeners: EACH, unlisten: 0, settle: 0, start: 0 },
  [Phase.RUNNING]: {
    grant: 1,
    facts: 0,
    resolvers: 0,
    listeners: EACH,
    unlisten: 0,
    settle: 0,
    statusRequest: 0,
    flowsRequest: 0,
    drain: 0,
  },
  [Phase.DRAINING]: {},
};
