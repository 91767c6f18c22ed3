/** Which ports only root can listen on. */
import { expect } from 'chai';
import { formatAddress } from '../../shared/addresses.ts';
import { parseArguments } from '../../supervisor/args.ts';
import { lowPortsOf } from '../../supervisor/low-ports.ts';

function low(line: string, first = 1024): string {
  const invocation = parseArguments('pasta', line.split(' ').filter(Boolean));
  if (invocation.kind !== 'run') throw new Error('no run');
  const ports = lowPortsOf(invocation.options, first);
  return ports.map(({ address, port }) => (address === null ? String(port) : `${formatAddress(address)} ${port}`)).join(', ');
}

describe('supervisor/low-ports', () => {
  for (const [line, expected] of [
    ['', ''],
    ['-t 80', '80'],
    ['-t 1022-1030:22-30', '1022, 1023'],
    ['-t 1024', ''],
    ['-t 127.0.0.1/80-81 -t 443', '127.0.0.1 80, 127.0.0.1 81, 443'],
    ['-4 -t 80', '0.0.0.0 80'],
    ['-t all', ''],
    ['-t auto', ''],
    ['-t 80,auto', ''],
    ['-u 53', ''],
    ['-T 80', ''],
    ['-t %lo/80', ''],
  ] as const) {
    it(`${line || '(nothing)'}: ${expected || 'none'}`, () => expect(low(line)).to.equal(expected));
  }

  it('begin where the host says', () => expect(low('-t 79-81', 80)).to.equal('79'));
});
