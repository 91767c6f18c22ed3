/**
 * What a check has found.
 */

/** `failure`: nothing works. `warning`: something that was asked for may not. `note`: good to know. */
export type Verdict = 'ok' | 'note' | 'warning' | 'failure';

export interface Finding {
  readonly verdict: Verdict;
  /** What there is, or the cause of what isn't. */
  readonly found: string;
  /** What to do; null where nothing need be. */
  readonly cure: string | null;
}

/** All is as it should be. */
export function ok(found: string): Finding {
  return { verdict: 'ok', found, cure: null };
}
