/**
 * Ranges of ports and their arithmetic. Pure.
 */

/** Both ends are part of it; `first` ≤ `last`. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** Every port that can be named (RFC 6335 §6: 0 is reserved). */
export const ALL_PORTS: PortRange = { first: 1, last: 65_535 };

export function countPorts({ first, last }: PortRange): number {
  return last - first + 1;
}

/** What both have; null = nothing. */
export function overlapOf(a: PortRange, b: PortRange): PortRange | null {
  const first = Math.max(a.first, b.first);
  const last = Math.min(a.last, b.last);
  return first <= last ? { first, last } : null;
}

/** What remains of `range` without `exclusions`, which may overlap each other: in ascending order, with a gap between neighbours. */
export function subtractRanges(range: PortRange, exclusions: readonly PortRange[]): PortRange[] {
  const rest: PortRange[] = [];
  let first = range.first;
  for (const gap of [...exclusions].sort((a, b) => a.first - b.first)) {
    if (gap.last < first) continue;
    if (gap.first > range.last) break;
    if (gap.first > first) rest.push({ first, last: gap.first - 1 });
    first = gap.last + 1;
  }
  if (first <= range.last) rest.push({ first, last: range.last });
  return rest;
}

/** `80`, or `80-90`. */
export function formatPorts({ first, last }: PortRange): string {
  return first === last ? `${first}` : `${first}-${last}`;
}
