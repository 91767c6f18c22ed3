/**
 * Figures as people read them, and aligned columns.
 */

/** Bits per second: `24.1 Gbit/s`. */
export function bitRate(bytes: number, seconds: number): string {
  const gigabits = (bytes * 8) / seconds / 1e9;
  return gigabits >= 1 ? `${gigabits.toFixed(1)} Gbit/s` : `${(gigabits * 1000).toFixed(0)} Mbit/s`;
}

/** Bytes: `3.6 GB`. */
export function amount(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Lines of columns, each as wide as its widest cell, two spaces apart, without spaces at the end. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join('  ')
      .trimEnd(),
  );
}
