/**
 * Something the caller of the program can put right: an option, a value, or what the host does not offer.
 * `message` is one line without the program's name; the program prints `NAME: MESSAGE` on stderr and leaves with status 1.
 */
export class UsageError extends Error {
  override readonly name = 'UsageError';

  constructor(message: string) {
    super(printable(message));
  }
}

/** The text on one line that a terminal can't misread: control characters become \x escapes. */
export function printable(text: string): string {
  let out = '';
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    const control = code < 0x20 || (code >= 0x7f && code < 0xa0) || code === 0x2028 || code === 0x2029;
    out += control ? `\\x${code.toString(16).padStart(2, '0')}` : character;
  }
  return out;
}
