/**
 * Command lines that can not work, through the commands themselves: status 1, nothing on stdout, and one line that callers can show. And
 * those that only print: on which stream, and with which status.
 */
import { expect } from 'chai';
import { run } from '../support/processes.ts';
import { passtPath } from '../support/machine.ts';
import { PRODUCT } from '../support/translator.ts';

const PASST = passtPath('machine');
const WRONG: readonly string[] = [
  '--xyz',
  '--map-guest-address 169.254.1.2',
  '-z',
  '--mtu',
  '--quiet=1',
  '--ipv',
  '--log-file /proc/nowhere/log',
  '--log-size 1',
  '--pid /proc/nowhere/pid',
  '--pcap /proc/nowhere/pcap',
  '--runas nosuch -f',
  '--conf-path /proc/nowhere/socket',
  '--isolation lax',
  '--mtu 65522',
  '--address 127.0.0.1',
  '--netmask 255.0.255.0',
  '--mac-addr x',
  '--gateway ::',
  '--interface nosuch0',
  '--interface abcdefghijklmnop',
  '--outbound 0.0.0.0',
  '--outbound-if4 nosuch0',
  '--dns x',
  '--dns-forward 127.0.0.1',
  '--dns-host 0.0.0.0',
  '--no-dhcp-dns',
  '--tcp-idle-timeout x',
  '--map-host-loopback 224.0.0.1',
  '--map-guest-addr 0.0.0.0',
  '--hostname a..b',
  '--tcp-ports 0',
  '--udp-ports 70-60',
  '--tcp-ns 192.0.2.1/80',
  '--listen-fd 9',
  '--socket /tmp/x',
  '--one-off',
  '--vhost-user',
  '--ns-ifname a/b',
  '--netns /nosuch',
  '--netns nosuch true',
  '--userns /proc/self/ns/user',
  '--no-copy-routes',
  '--ns-mac-addr 9a:55:9a:55:9a:55',
  '--no-splice --splice-only',
  '--stats x -f',
  '2147483646',
];
const WRONG_FOR_PASST: readonly string[] = [
  'true',
  '--config-net',
  '--fd 77',
  '--fd 1',
  '--socket /proc/nowhere/socket',
  '--repair-path /tmp/x',
  '--migrate-exit',
  '--tcp-ns 80',
];

describe('netns: wrong command lines', function () {
  this.timeout(20_000);

  for (const [program, name, lines] of [
    [PRODUCT, 'pasta', WRONG],
    [PASST, 'passt', WRONG_FOR_PASST],
  ] as const) {
    for (const line of lines) {
      it(`${name} ${line}`, async () => {
        // A command at the end would make the line another one.
        const result = await run([program, ...line.split(' ')], { input: '' });
        expect(result).to.include({ code: 1, stdout: '' });
        expect(result.stderr).to.match(new RegExp(`^${name}: [^\\n]+\\n$`));
      });
    }
  }

  it('an option that is not known is told of in the words of the C library, which callers look for', async () => {
    const { stderr } = await run([PRODUCT, '--map-guest-address', '169.254.1.2', '--netns', '/nosuch']);
    expect(stderr).to.equal("pasta: unrecognized option '--map-guest-address'\n");
  });

  for (const [program, words, first] of [
    [PRODUCT, ['--version'], /^pasta \d/],
    [PRODUCT, ['--host-lo-to-ns-lo', '--version'], /^pasta \d/],
    [PRODUCT, ['-h', '--nonsense'], /^Usage: pasta /],
    [PASST, ['--help'], /^Usage: passt /],
    [PASST, ['--version'], /^passt \d/],
  ] as const) {
    it(`${words.join(' ')} prints on stdout alone, and leaves with status 0`, async () => {
      const result = await run([program, ...words]);
      expect(result).to.include({ code: 0, stderr: '' });
      expect(result.stdout).to.match(first);
    });
  }

  it('--print-capabilities prints one object on each stream, and once where both are one', async () => {
    const result = await run([PASST, '--print-capabilities']);
    expect(result.code).to.equal(0);
    for (const text of [result.stdout, result.stderr]) expect(JSON.parse(text)).to.deep.equal({ type: 'net' });
    const together = await run(['sh', '-c', '"$0" --print-capabilities 2>&1', PASST]);
    expect(JSON.parse(together.stdout)).to.deep.equal({ type: 'net' });
  });
});
