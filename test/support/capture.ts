/** What tshark reads in a file of captured frames. */
import { expect } from 'chai';
import { run } from './processes.ts';

/** Every checksum is looked at, and nothing is resolved. */
const STRICT = ['ip', 'tcp', 'udp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]);

/** What tshark prints of a file, and that it complains of nothing. */
export async function dissect(file: string, ...words: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await run(['tshark', '-n', ...STRICT, '-r', file, ...words], { user: 0 });
  const complaints = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('Running as user'));
  expect([code, ...complaints]).to.deep.equal([0]);
  return stdout.split('\n').filter((line) => line !== '');
}

/** Lines about frames that are wrong. */
export function wrongFrames(file: string): Promise<string[]> {
  return dissect(
    file,
    '-Y',
    '_ws.malformed || ip.checksum.status == "Bad" || tcp.checksum.status == "Bad" || udp.checksum.status == "Bad"',
  );
}
