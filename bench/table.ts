/**
 * Turns measurements into lines: medians, ratios to the best peer and to no translator, goals, aligned text.
 */
import type { Metric } from './row.ts';
import type { Tool } from '../test/support/translator.ts';

/** All measurements of one metric of one row. */
export interface Line {
  readonly row: string;
  readonly metric: Metric;
  readonly values: Partial<Record<Tool, readonly number[]>>;
}

export interface Verdict {
  readonly row: string;
  readonly metric: string;
  readonly unit: string;
  readonly medians: Partial<Record<Tool, number>>;
  readonly toPeer: number;
  readonly toBare: number;
  readonly goal: string;
  /** `yes`, `no`, or empty when there is no goal or no figure. */
  readonly met: string;
  /** Worst of the ratios divided by its goal, so that 1 is just met and 0.5 is half of it; NaN without a goal or figure. */
  readonly reached: number;
}

/** Middle of the values that are numbers; NaN when there is none. */
export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  if (sorted.length === 0) return Number.NaN;
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** Part of the goal that a figure reaches: 1 and more is met, whichever direction is better. */
function part(metric: Metric, figure: number, goal: number | undefined): number {
  if (goal === undefined || Number.isNaN(figure)) return Number.NaN;
  if (metric.better === 'more') return figure / goal;
  return figure <= goal ? Math.max(1, goal / figure || 1) : goal / figure;
}

function goalText(metric: Metric): string {
  const sign = metric.better === 'more' ? '≥' : '≤';
  const words: string[] = [];
  if (metric.peer !== undefined) words.push(`${sign} ${metric.peer}× ${metric.against ?? 'peer'}`);
  if (metric.bare !== undefined) words.push(`${sign} ${metric.bare}× bare`);
  if (metric.bound !== undefined) words.push(`${sign} ${metric.bound}`);
  return words.join(', ');
}

/** Judges one line. */
export function judge(line: Line): Verdict {
  const medians: Partial<Record<Tool, number>> = {};
  for (const [tool, values] of Object.entries(line.values)) medians[tool as Tool] = median(values);
  const ours = medians.ravioli ?? Number.NaN;
  const { peer, bare, bound, against } = line.metric;
  const compared = against === undefined ? [medians.pasta, medians.slirp4netns] : [medians[against]];
  const peers = compared.filter((value): value is number => value !== undefined && !Number.isNaN(value));
  const best = line.metric.better === 'more' ? Math.max(...peers) : Math.min(...peers);
  const toPeer = peers.length > 0 ? ours / best : Number.NaN;
  const toBare = ours / (medians.bare ?? Number.NaN);
  const parts = [part(line.metric, toPeer, peer), part(line.metric, toBare, bare), part(line.metric, ours, bound)].filter(
    (value) => !Number.isNaN(value),
  );
  const reached = parts.length > 0 ? Math.min(...parts) : Number.NaN;
  const met = Number.isNaN(reached) ? '' : reached >= 1 ? 'yes' : 'no';
  return {
    row: line.row,
    metric: line.metric.name,
    unit: line.metric.unit,
    medians,
    toPeer,
    toBare,
    goal: goalText(line.metric),
    met,
    reached,
  };
}

/**
 * A goal missed by more than half. Without a verdict nothing is said: a peer may be too slow for its CPU time to be told, and a failure of
 * our own is told by itself.
 */
export function isGrosslyMissed(verdict: Verdict): boolean {
  return verdict.reached < 0.5;
}

/** Three significant digits, thousands separated; `–` for what could not be measured. */
export function figure(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '–';
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

function ratio(value: number): string {
  return Number.isFinite(value) ? `${figure(value)}×` : '–';
}

/** Aligned text, the first column to the left and figures to the right. */
export function table(verdicts: readonly Verdict[], tools: readonly Tool[]): string {
  const head = ['work', 'unit', ...tools, 'to best peer', 'to bare', 'goal', 'met'];
  const cells = verdicts.map((verdict) => [
    `${verdict.row}: ${verdict.metric}`,
    verdict.unit,
    ...tools.map((tool) => figure(verdict.medians[tool])),
    ratio(verdict.toPeer),
    ratio(verdict.toBare),
    verdict.goal,
    verdict.met,
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => (row[column] as string).length)));
  const left = [0, 1, head.length - 2, head.length - 1];
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (left.includes(column) ? cell.padEnd(widths[column] as number) : cell.padStart(widths[column] as number)))
      .join('  ')
      .trimEnd();
  return [line(head), ...cells.map(line)].join('\n');
}
