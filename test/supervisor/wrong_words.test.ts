/** What no option can mean is refused by one line that names the option, whichever option it is. */
import { expect } from 'chai';
import { parseArguments } from '../../supervisor/args.ts';
import { OPTIONS, type OptionRow } from '../../supervisor/config/options.ts';
import { UsageError } from '../../supervisor/usage-error.ts';

const WORDS = [
  '',
  ' ',
  '-',
  '-1',
  '1e3',
  '0x',
  '99999999999999999999',
  'a/b/c',
  '%',
  ':::',
  '1.2.3',
  '10.0.0.300',
  '\u001b[2J',
  'x'.repeat(5000),
];

/** Any text is a path or a user's name; whether there is such a one is found out later. */
const ANY_TEXT = ['log-file', 'pid', 'pcap', 'conf-path', 'socket', 'socket-path', 'netns', 'userns', 'runas', 'search', 'listen-fd'];

function complaint(mode: string, words: readonly string[]): string | null {
  try {
    parseArguments(mode, words);
    return null;
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
}

/** The words that the option takes for a value. */
function accepted({ long, modes }: OptionRow): string[] {
  return WORDS.filter((word) => {
    const message = complaint(modes === 'passt' ? 'passt' : 'pasta', [`--${long}=${word}`]);
    if (message !== null) expect(message).to.match(/^--[a-z0-9-]+ [^\x00-\x1f\x7f]+$/);
    return message === null;
  });
}

describe('supervisor/args: words that no option can mean', () => {
  for (const row of OPTIONS.filter(({ argument, set }) => argument !== undefined && set !== undefined)) {
    it(`--${row.long}`, () => {
      const taken = accepted(row);
      if (ANY_TEXT.includes(row.long)) return;
      // Names may be short, and empty ones mean none.
      const names = ['hostname', 'fqdn'].includes(row.long) ? ['', '1e3', '0x', '1.2.3', '10.0.0.300', '99999999999999999999'] : [];
      const interfaces = ['interface', 'outbound-if4', 'outbound-if6', 'ns-ifname'].includes(row.long)
        ? ['-', '-1', '1e3', '0x', '%', '1.2.3', '10.0.0.300', '\u001b[2J']
        : [];
      expect(taken.filter((word) => ![...names, ...interfaces].includes(word))).to.deep.equal([]);
    });
  }

  for (const row of OPTIONS.filter(({ argument }) => argument === undefined)) {
    it(`--${row.long} takes no value`, () =>
      expect(complaint(row.modes === 'passt' ? 'passt' : 'pasta', [`--${row.long}=x`])).to.equal(
        `option '--${row.long}' doesn't allow an argument`,
      ));
  }
});
