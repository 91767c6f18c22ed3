/** What bench/older.c takes away from a program, and that it takes away nothing else. */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { program } from '../support/load.ts';

/** Tries each of two lines of Python; which errno each gets, 0 for none. */
const TRY = (lines: readonly string[]): string => `
import fcntl, socket
tcp = socket.socket()
null = open('/dev/null')
for line in ${JSON.stringify(lines)}:
    try:
        eval(line)
        print(0)
    except OSError as error:
        print(error.errno)
`;

const EINVAL = 22;
const ENOTTY = 25;
const EOPNOTSUPP = 95;

/** TUNSETOFFLOAD with these bits, of a file that is no tap. */
const offload = (bits: number): string => `fcntl.ioctl(null, 0x400454d0, ${bits})`;

describe('bench: older', () => {
  it('refuses SO_PEEK_OFF and USO as older kernels do, and nothing else', () => {
    const lines = [
      'tcp.setsockopt(1, 42, 0)',
      offload(0x27),
      offload(0x47),
      offload(7),
      'tcp.setsockopt(1, 9, 1)',
      'tcp.setsockopt(6, 1, 1)',
    ];
    const answers = execFileSync(program('older'), ['python3', '-c', TRY(lines)], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map(Number);
    expect(answers).to.deep.equal([EOPNOTSUPP, EINVAL, EINVAL, ENOTTY, 0, 0]);
  });
});
