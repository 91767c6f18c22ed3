/** Joining the namespace of a process that exists. */
import { expect } from 'chai';
import { check, run, type Running, start } from '../support/processes.ts';
import { gone } from '../support/product.ts';
import { tree } from '../support/processtable.ts';
import { PRODUCT } from '../support/translator.ts';

const NETWORK_READY = /^DNS: /m;

async function holder(): Promise<Running> {
  const running = start(['unshare', '-rn', 'sh', '-c', 'echo held; exec sleep 1000']);
  await running.waitFor(/held/);
  return running;
}

describe('netns: attach', function () {
  this.timeout(20_000);

  it('gives the network to the namespace of a process, and ends with status 0 when that has ended', async () => {
    const guest = await holder();
    const pasta = start([PRODUCT, '--foreground', '--config-net', String(guest.pid)]);
    await pasta.waitFor(NETWORK_READY);
    const shown = await check(
      [
        'nsenter',
        `--user=/proc/${guest.pid}/ns/user`,
        `--net=/proc/${guest.pid}/ns/net`,
        '--preserve-credentials',
        'ip',
        '-brief',
        'address',
      ],
      { user: 0 },
    );
    expect(shown)
      .to.match(/^lo .*127\.0\.0\.1/m)
      .and.to.match(/^\S+ +UNKNOWN +\d+\.\d+\.\d+\.\d+\/\d+/m);
    await guest.stop('SIGKILL');
    const result = await pasta.finished;
    expect(result.code).to.equal(0);
    expect(result.stderr).to.match(/namespace has gone\n$/);
  });

  for (const [signal, code] of [
    ['SIGTERM', 0],
    ['SIGQUIT', 0],
    ['SIGINT', 130],
  ] as const) {
    it(`${signal} ends it with ${code}, at once, and leaves the guest alone`, async () => {
      const guest = await holder();
      const pasta = start([PRODUCT, '--foreground', '--config-net', String(guest.pid)]);
      await pasta.waitFor(NETWORK_READY);
      const everyone = tree(pasta.pid);
      const began = Date.now();
      process.kill(pasta.pid, signal);
      expect((await pasta.finished).code).to.equal(code);
      expect(Date.now() - began, 'no time given to anybody').to.be.lessThan(2_000);
      await Promise.all(everyone.map((pid) => gone(pid)));
      expect(process.kill(guest.pid, 0)).to.equal(true);
      await guest.stop('SIGKILL');
    });
  }

  for (const userns of ['', '--userns /proc/self/ns/user']) {
    it(`low ports of a namespace of our own user namespace are to be had, as for Podman ${userns}`, async () => {
      const script = `unshare -n sleep 100 & guest=$!
        until [ "$(readlink /proc/$guest/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
        "$1" --config-net -q -t none -u none -T 80 -U 53 ${userns} --netns /proc/$guest/ns/net; echo "status $?"
        nsenter --net=/proc/$guest/ns/net ss -Hltun; kill $guest`;
      const { stdout, stderr } = await run(['unshare', '-r', 'sh', '-c', script, 'sh', PRODUCT]);
      expect(stderr).to.equal('');
      expect(stdout)
        .to.match(/^status 0$/m)
        .and.to.match(/^tcp +LISTEN .*:80 /m)
        .and.to.match(/^udp +UNCONN .*:53 /m);
    });
  }

  it('can be joined again after it was left', async () => {
    const guest = await holder();
    for (let round = 0; round < 2; round++) {
      const pasta = start([PRODUCT, '--foreground', '--config-net', String(guest.pid)]);
      await pasta.waitFor(NETWORK_READY);
      await pasta.stop();
    }
    await guest.stop('SIGKILL');
  });

  it('says in one line that there is no such process', async () => {
    const result = await run([PRODUCT, '--foreground', '--config-net', '2147483646']);
    expect(result.code).to.equal(1);
    expect(result.stderr).to.match(/^pasta: there is no process 2147483646.*\n$/);
  });

  it('says in one line that the process is somebody else’s', async () => {
    const result = await run([PRODUCT, '--foreground', '--config-net', '1']);
    expect(result.code).to.equal(1);
    expect(result.stderr).to.match(/^pasta: .*process 1 belongs to another user.*\n$/);
  });
});
