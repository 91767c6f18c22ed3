/**
 * The table of `ravioli flows`. Pure.
 */
import { durationText, hostText } from './status-command.ts';

interface ShownEnd {
  readonly address: string;
  readonly port: number;
}

/** As supervisor/run-status.ts makes it. */
export interface ShownFlow {
  readonly protocol: string;
  readonly state: string;
  readonly spliced: boolean;
  readonly guest: ShownEnd | null;
  readonly far: ShownEnd | null;
  readonly host: ShownEnd | null;
  readonly seconds: number;
  readonly fromGuest: number | null;
  readonly toGuest: number | null;
}

const HEADINGS = ['PROTOCOL', 'STATE', 'GUEST', 'FAR END', 'HOST SOCKET', 'AGE', 'FROM GUEST', 'TO GUEST'] as const;
const FIRST_NUMBER = 5;

/** A line for each flow under a line of headings. */
export function showFlows(flows: readonly ShownFlow[]): string {
  const rows = [HEADINGS, ...flows.map(rowOf)];
  const widths = HEADINGS.map((_, column) => rows.reduce((most, row) => Math.max(most, (row[column] as string).length), 0));
  const cellOf = (cell: string, column: number): string =>
    column < FIRST_NUMBER ? cell.padEnd(widths[column] as number) : cell.padStart(widths[column] as number);
  return rows.map((row) => `${row.map(cellOf).join('  ').trimEnd()}\n`).join('');
}

function rowOf(flow: ShownFlow): readonly string[] {
  return [
    flow.spliced ? `${flow.protocol} spliced` : flow.protocol,
    flow.state,
    endText(flow.guest),
    endText(flow.far),
    endText(flow.host),
    durationText(flow.seconds),
    flow.fromGuest === null ? '-' : String(flow.fromGuest),
    flow.toGuest === null ? '-' : String(flow.toGuest),
  ];
}

function endText(end: ShownEnd | null): string {
  if (end === null) return '-';
  return end.port === 0 ? end.address : `${hostText(end.address)}:${end.port}`;
}
