import { expect } from 'chai';
import { parseArguments } from '../../../supervisor/args.ts';
import type { Options } from '../../../supervisor/config/options.ts';
import { complaintAbout } from '../../support/forwarding_words.ts';

function options(...argv: string[]): Options {
  const invocation = parseArguments('pasta', argv);
  if (invocation.kind !== 'run') throw new Error('no run');
  return invocation.options;
}

describe('supervisor/forwarding: options beside the ports', () => {
  for (const [line, key, expected] of [
    ['', 'splice', true],
    ['--no-splice', 'splice', false],
    ['', 'spliceOnly', false],
    ['--splice-only', 'spliceOnly', true],
    ['', 'loopbackToLoopback', false],
    ['--splice-only', 'loopbackToLoopback', true],
    ['--host-lo-to-ns-lo', 'loopbackToLoopback', true],
    ['', 'freebind', false],
    ['--freebind', 'freebind', true],
  ] as const) {
    it(`${line || 'nothing'}: ${key} is ${expected}`, () => {
      expect(options(...line.split(' ').filter((word) => word !== ''))[key]).to.equal(expected);
    });
  }

  for (const option of ['--splice-only', '--host-lo-to-ns-lo']) {
    it(`${option} is refused together with --no-splice, in either order`, () => {
      const message = `${option} can't be together with --no-splice, which ends what it is about; leave one out`;
      expect(complaintAbout([option, '--no-splice'])).to.equal(message);
      expect(complaintAbout(['--no-splice', option])).to.equal(message);
    });
  }

  const asked = (...words: string[]): string[] => options(...words).forwarding.map(({ option, text }) => `${option} ${text}`);

  it('where nothing is said, what somebody listens on is forwarded, both ways', () => {
    expect(asked()).to.eql(['--tcp-ports auto', '--udp-ports auto', '--tcp-ns auto', '--udp-ns auto']);
    expect(asked('-t', 'none', '-U', '53')).to.eql(['--tcp-ports none', '--udp-ns 53', '--udp-ports auto', '--tcp-ns auto']);
    expect(asked('--no-tcp')).to.eql(['--udp-ports auto', '--udp-ns auto']);
    expect(asked('--no-udp', '--no-tcp')).to.eql([]);
  });

  it('what was asked for is kept in its order', () => {
    const words = ['-u', '53', '-t', 'none', '-T', '1-5,auto', '-t', '80', '-U', 'none'];
    expect(asked(...words)).to.eql(['--udp-ports 53', '--tcp-ports none', '--tcp-ns 1-5,auto', '--tcp-ports 80', '--udp-ns none']);
    expect(options(...words).forwarding).to.be.frozen;
  });
});
