/**
 * Domain names as DNS writes them (RFC 1035 §3.1): labels, each behind its length, and the root's empty one at the end.
 *
 * For the start and for changes of the configuration: all of this allocates.
 */

/** RFC 1035 §2.3.4. */
const MOST_BYTES = 255;
const MOST_IN_LABEL = 63;
/** RFC 1035 §4.1.4: two bits, then where in the message the rest of the name is. */
const POINTER = 0xc000;
const MOST_OFFSET = 0x3fff;

/** The labels of `text`, with or without a dot at its end; null when it is no name that DNS can write: an empty label, one too long, not ASCII. */
function labelsOf(text: string): string[] | null {
  const labels = (text.endsWith('.') ? text.slice(0, -1) : text).split('.');
  const isWhole = labels.every((label) => label.length > 0 && label.length <= MOST_IN_LABEL && /^[\x21-\x7e]+$/.test(label));
  const bytes = labels.reduce((sum, label) => sum + 1 + label.length, 1);
  return isWhole && bytes <= MOST_BYTES ? labels : null;
}

function pushLabel(to: number[], label: string): void {
  to.push(label.length);
  for (let at = 0; at < label.length; at++) to.push(label.charCodeAt(at));
}

/** The name in full; empty when `text` is no name. */
export function encodeName(text: string): Uint8Array {
  const labels = labelsOf(text);
  if (labels === null) return new Uint8Array(0);
  const encoded: number[] = [];
  for (const label of labels) pushLabel(encoded, label);
  return Uint8Array.of(...encoded, 0);
}

/** Several names. */
export interface EncodedNames {
  readonly bytes: Uint8Array;
  /** Where each name ends: what is before such an end is a list of its own. */
  readonly ends: readonly number[];
}

/** The names one behind the other, in full; what is no name is left out. */
export function encodeNames(texts: readonly string[]): EncodedNames {
  const names = texts.map(encodeName).filter((name) => name.length > 0);
  const ends: number[] = [];
  for (const name of names) ends.push((ends.at(-1) ?? 0) + name.length);
  return { bytes: Uint8Array.from(names.flatMap((name) => [...name])), ends };
}

/** The same with pointers to what was written before, counted from the first name (RFC 3397 §2). Letters are compared as they are. */
export function compressNames(texts: readonly string[]): EncodedNames {
  const encoded: number[] = [];
  const ends: number[] = [];
  const known = new Map<string, number>();
  for (const labels of texts.map(labelsOf)) {
    if (labels === null) continue;
    let pointer = -1;
    for (let first = 0; first < labels.length && pointer < 0; first++) {
      const rest = labels.slice(first).join('.');
      pointer = known.get(rest) ?? -1;
      if (pointer >= 0) break;
      if (encoded.length <= MOST_OFFSET) known.set(rest, encoded.length);
      pushLabel(encoded, labels[first] as string);
    }
    if (pointer < 0) encoded.push(0);
    else encoded.push((POINTER | pointer) >>> 8, pointer & 0xff);
    ends.push(encoded.length);
  }
  return { bytes: Uint8Array.from(encoded), ends };
}
