/** Options about the process itself, and about the namespaces that it serves. */
import { expect } from 'chai';
import { parseArguments } from '../../supervisor/args.ts';
import type { Options } from '../../supervisor/config/options.ts';

function options(line: string): Options {
  const invocation = parseArguments('pasta', line.split(' ').filter(Boolean));
  if (invocation.kind !== 'run') throw new Error('no run');
  return invocation.options;
}

describe('supervisor/args: the process and its namespaces', () => {
  for (const [line, key, expected] of [
    ['7', 'foreground', false],
    ['-f 7', 'foreground', true],
    ['true', 'foreground', true],
    ['--netns a', 'foreground', false],
    ['--netns a -f', 'foreground', true],
    ['', 'pidFile', null],
    ['-P /a -P /b', 'pidFile', '/b'],
    ['7', 'quitsWithNamespace', true],
    ['--stats 0 7', 'statistics', 0],
    ['-f --stats 5 7', 'statistics', 5],
    ['--stats 5 true', 'statistics', 5],
    ['--chroot-fallback 7', 'foreground', false],
    ['-l /a --log-file /b 7', 'logFile', '/b'],
    ['7', 'logSize', 1048576],
    ['--log-size 40960 7', 'logSize', 40960],
    ['--no-netns-quit 7', 'quitsWithNamespace', false],
    ['true', 'guest', null],
    ['7', 'guest', { pid: 7, network: '/proc/7/ns/net', user: '/proc/7/ns/user' }],
    ['true', 'userNamespace', true],
    ['--netns-only true', 'userNamespace', false],
    ['--netns-only 7', 'guest', { pid: 7, network: '/proc/7/ns/net', user: null }],
    ['--userns /u 7', 'guest', { pid: 7, network: '/proc/7/ns/net', user: '/u' }],
    ['--userns /u --netns-only 7', 'guest', { pid: 7, network: '/proc/7/ns/net', user: null }],
    ['--netns-only --userns /u 7', 'guest', { pid: 7, network: '/proc/7/ns/net', user: '/u' }],
    ['--netns ./a', 'guest', { pid: null, network: './a', user: null }],
    ['--netns a', 'guest', { pid: null, network: '/run/netns/a', user: null }],
    ['--netns /a --netns b', 'guest', { pid: null, network: '/run/netns/b', user: null }],
    ['--netns /a --userns /u', 'guest', { pid: null, network: '/a', user: '/u' }],
  ] as const) {
    it(`pasta ${line}: ${key}`, () => expect(options(line)[key]).to.deep.equal(expected));
  }

  for (const [line, complaint] of [
    ['--netns a 7', "--netns is the namespace to serve, and '7' asks for another one; give one of the two"],
    ['--netns a true', "--netns is the namespace to serve, and 'true' asks for another one; give one of the two"],
    ['--userns /u true', '--userns has no meaning for a command that is started here; add --netns or a process ID'],
    ['--stats 5 7', '--stats shows counters on stderr, which a run in the background has none of; add --foreground'],
    ['--stats x', "--stats 'x': is no such time; give 0 to 86400 seconds"],
    ['--log-size 40959', "--log-size '40959': is no such size; give 40960 to 4294967295 bytes"],
    ['--netns=', "--netns '': is neither path nor name"],
    ['--userns=', "--userns '': is no path"],
    ['--no-pidns 7', '--no-pidns concerns a command that is started here, not a namespace that exists; leave it out'],
    ['--no-pidns --netns a', '--no-pidns concerns a command that is started here, not a namespace that exists; leave it out'],
  ] as const) {
    it(`pasta ${line} is refused`, () => expect(() => options(line)).to.throw(complaint));
  }
});
