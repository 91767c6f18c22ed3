/**
 * Where the answers about a run come from: what is known of it, and the worker.
 */
import type { StatusSource } from './control/status-server.ts';
import type { Options } from './config/options.ts';
import { flowOf, statusOf } from './run-status.ts';
import type { Rooms } from './startup.ts';

/** What does not change while a run is under way. */
export interface RunIdentity {
  readonly mode: 'pasta' | 'passt';
  readonly options: Options;
  /** Where a machine connects. */
  readonly socket: string | null;
}

/** Answers of the run that has these rooms, which are ready now. */
export function statusSource({ mode, options, socket }: RunIdentity, rooms: Rooms): StatusSource {
  const { worker, command, plan, guestMac, forwarding } = rooms;
  const run = { pid: process.pid, mode, since: Date.now(), command: command?.pid ?? 0, joined: options.guest, guestMac };
  const places = { socket, controlPath: options.controlPath };
  return {
    status: async () => {
      const now = { plan: plan(), forwarding: forwarding.current(), now: Date.now() };
      return statusOf({ ...run, ...places, ...now, ...(await worker.status()) });
    },
    flows: async (first) => {
      const page = await worker.flows(first);
      return { next: page.next, flows: page.flows.map(flowOf) };
    },
  };
}
