/** Network namespaces that are given by path or name. */
import { expect } from 'chai';
import { check, run, type Running, start } from '../support/processes.ts';
import { gone } from '../support/product.ts';
import { PRODUCT } from '../support/translator.ts';

/** As Podman has it: root of a user namespace, the network of the host, a network namespace below a folder of its own. */
async function owner(): Promise<Running> {
  const script = 'mount -t tmpfs tmpfs /mnt; touch /mnt/ns /mnt/text; unshare --net=/mnt/ns true; echo held; exec sh';
  const running = start(['unshare', '-rm', 'sh', '-ec', script]);
  await running.waitFor(/held/);
  return running;
}

describe('netns: netns', function () {
  this.timeout(20_000);
  let guest: Running;

  beforeEach(async () => {
    guest = await owner();
  });
  afterEach(() => guest.stop('SIGKILL'));

  const within = (...words: string[]): string[] => {
    const spaces = [`--user=/proc/${guest.pid}/ns/user`, `--mount=/proc/${guest.pid}/ns/mnt`];
    return ['nsenter', ...spaces, '--preserve-credentials', ...words];
  };
  const network = (): Promise<string> => check(within('nsenter', '--net=/mnt/ns', 'ip', '-brief', 'address'));
  const podman = ['--config-net', '-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none', '--no-map-gw', '--quiet', '--netns', '/mnt/ns'];

  it('serves it in the background, as Podman starts it, until its name is removed', async () => {
    const words = [...podman, '--map-guest-addr', '169.254.1.2', '--pid', '/mnt/pid'];
    const result = await run(within(PRODUCT, ...words));
    expect(result).to.deep.equal({ code: 0, stdout: '', stderr: '', timedOut: false });
    expect(await network()).to.match(/^\S+ +UNKNOWN +\d+\.\d+\.\d+\.\d+\/\d+/m);
    const pid = Number(await check(within('cat', '/mnt/pid')));
    process.kill(pid, 0);
    await check(within('sh', '-c', 'umount /mnt/ns && rm /mnt/ns'));
    await gone(pid);
  });

  it('stays with --no-netns-quit', async () => {
    const words = [...podman, '--no-netns-quit', '--pid', '/mnt/pid'];
    expect((await run(within(PRODUCT, ...words))).code).to.equal(0);
    const pid = Number(await check(within('cat', '/mnt/pid')));
    await check(within('sh', '-c', 'umount /mnt/ns && rm /mnt/ns'));
    process.kill(pid, 0);
    process.kill(pid, 'SIGTERM');
    await gone(pid);
  });

  it('serves that of another user namespace', async () => {
    const other = start(['unshare', '-rn', 'sh', '-c', 'echo held; exec sleep 1000']);
    await other.waitFor(/held/);
    const words = ['--config-net', '-f', '--userns', `/proc/${other.pid}/ns/user`, '--netns', `/proc/${other.pid}/ns/net`];
    const pasta = start([PRODUCT, ...words]);
    await pasta.waitFor(/^DNS: /m);
    await other.stop('SIGKILL');
    expect((await pasta.finished).code).to.equal(0);
  });

  for (const [name, path, line] of [
    ['is not there', '/mnt/nothing', /^pasta: there is no namespace '\/mnt\/nothing'/],
    ['is no namespace', '/mnt/text', /^pasta: '\/mnt\/text' is no namespace; /],
    [
      'is a namespace of another kind',
      '/proc/self/ns/uts',
      /^pasta: the network namespace '\/proc\/self\/ns\/uts' can't be joined; .*another kind/,
    ],
    ['has no slash and no such name', 'nothing', /^pasta: there is no namespace '\/run\/netns\/nothing'/],
  ] as const) {
    it(`says in one line that it ${name}`, async () => {
      const result = await run(within(PRODUCT, '--config-net', '--netns', path));
      expect(result.code).to.equal(1);
      expect(result.stderr).to.match(line);
      expect(result.stderr.match(/\n/g)).to.have.length(1);
    });
  }

  it('says in one line that it is another user’s', async () => {
    const result = await run([PRODUCT, '--config-net', '--userns', '/proc/self/ns/user', '--netns', '/proc/self/ns/net']);
    expect(result.code).to.equal(1);
    expect(result.stderr).to.match(/^pasta: the network namespace '\/proc\/self\/ns\/net' .*another user.*\n$/);
  });
});
