/** The launcher reads a command line as the supervisor does, and waits for a run in the background. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import fc from 'fast-check';
import { parseArguments } from '../../supervisor/args.ts';
import { OPTIONS } from '../../supervisor/config/options.ts';
import { UsageError } from '../../supervisor/usage-error.ts';

const START = fileURLToPath(new URL('../../native/out/start', import.meta.url));

/** The host's root would become somebody else before there is a worker (supervisor/run-as.ts). */
const AS_NOBODY = process.getuid?.() === 0 ? ['setpriv', '--reuid=65534'] : [];

/** What the launcher decides; a shell takes the place of the supervisor's runtime, and tells. */
function decide(program: string, words: readonly string[]): { background: boolean; worker: boolean } {
  const script = 'test -n "$RAVIOLI_READY" && echo background; test -n "$RAVIOLI_WORKER" && echo worker';
  const line = ['/bin/false', 'jail', '/bin/false', '--', '/bin/sh', '-c', script, 'sh', '--', program, ...words];
  const [command = '', ...given] = [...AS_NOBODY, START, ...line];
  const { stdout } = spawnSync(command, given, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return { background: stdout.includes('background'), worker: stdout.includes('worker') };
}

/** What the supervisor reads; null: it refuses the line. */
function read(program: string, words: readonly string[]): 'text' | 'foreground' | 'background' | null {
  try {
    const invocation = parseArguments(program, words);
    return invocation.kind === 'text' ? 'text' : invocation.options.foreground ? 'foreground' : 'background';
  } catch (error) {
    if (error instanceof UsageError) return null;
    throw error;
  }
}

describe('native/start: words', function () {
  this.timeout(20_000);

  for (const [line, background, worker] of [
    ['pasta', false, true],
    ['pasta true', false, true],
    ['pasta 12', true, true],
    ['pasta -f 12', false, true],
    ['pasta -qf 12', false, true],
    ['pasta --for 12', false, true],
    ['pasta -- 12', true, true],
    ['pasta 12 13', false, true],
    ['pasta sh -c 12', false, true],
    ['pasta sh --netns a', false, true],
    ['pasta --netns /a', true, true],
    ['pasta --netns=a --config-net', true, true],
    ['pasta -I -f 12', true, true],
    ['pasta --nonsense 12', false, false],
    ['pasta --version', false, false],
    ['pasta -P', false, false],
    ['pasta sh --version', false, true],
    ['/usr/bin/passt', true, true],
    ['passt -f', false, true],
    ['passt --help', false, false],
    ['ravioli passt', true, true],
    ['ravioli pasta true', false, true],
    ['slirp4netns -c -r 3 12', false, true],
    ['slirp4netns --netns-type=path /a tap0', false, true],
  ] as const) {
    it(`${line}: ${background ? 'background' : 'foreground'}, ${worker ? 'a worker at once' : 'no worker yet'}`, () => {
      const [program, ...words] = line.split(' ') as [string, ...string[]];
      expect(decide(program, words)).to.deep.equal({ background, worker });
    });
  }

  it('agrees with the supervisor on every line that this accepts', () => {
    const option = fc.constantFrom(...OPTIONS).chain(({ long, short, argument }): fc.Arbitrary<string[]> => {
      const value = fc.constantFrom('7', 'none', '192.0.2.9', 'a', '-f', '--netns');
      const forms: fc.Arbitrary<string[]>[] = [fc.constant([`--${long}`]), fc.constant([`--${long.slice(0, 6)}`])];
      if (short !== undefined) forms.push(fc.constant([`-${short}`]), fc.constant([`-q${short}`]));
      if (argument === undefined) return fc.oneof(...forms);
      return fc.oneof(
        fc.tuple(fc.oneof(...forms), value).map(([words, text]) => [...words, text]),
        value.map((text) => [`--${long}=${text}`]),
      );
    });
    const line = fc.tuple(
      fc.array(option, { maxLength: 3 }),
      fc.constantFrom([], ['7'], ['--', '7'], ['true'], ['true', '-f'], ['7', '8']),
    );
    let accepted = 0;
    fc.assert(
      fc.property(fc.constantFrom('pasta', 'passt'), line, (program, [options, rest]) => {
        const words = [...options.flat(), ...rest];
        const meant = read(program, words);
        if (meant === null) return;
        accepted++;
        expect(decide(program, words).background, words.join(' ')).to.equal(meant === 'background');
      }),
      { numRuns: 400 },
    );
    expect(accepted).to.be.greaterThan(20);
  });

  it('leaves with the status of a service that was never ready, and never with 0', () => {
    for (const [end, status] of [
      ['exit 3', 3],
      ['exit 0', 1],
      ['kill -9 $$', 1],
    ] as const) {
      const line = ['/bin/false', 'jail', '/bin/false', '--', '/bin/sh', '-c', end, 'sh', '--', 'passt'];
      expect(spawnSync(START, line, { stdio: 'ignore' }).status, end).to.equal(status);
    }
  });
});
