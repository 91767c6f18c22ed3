/**
 * podman's other network of old, and rootlesskit's: `slirp4netns`. The column `pasta` has Debian's own.
 */
import { expect } from 'chai';
import { TARGET4, TARGET6 } from '../support/topology.ts';
import { type Case, inContainer, receiving, send, startListening } from './case.ts';
import { IMAGE, NAME, type Rig, WORDS } from './rig.ts';

const NETWORK = '--network=slirp4netns';

function fetches(title: string, network: string, address: string): Case {
  return {
    title,
    async check(rig) {
      expect(await inContainer(rig, [network], `wget -q -O - http://${address}/`)).to.equal(WORDS);
    },
  };
}

function publishes(title: string, network: string): Case {
  return {
    title,
    async check(rig) {
      const container = await startListening(rig, [network, '-p', '6000:6000'], 'tcp', [6000], receiving('tcp', 6000));
      await send(rig, 'tcp', '127.0.0.1', 6000, 'arrived');
      const end = await container.finished;
      expect([end.code, end.stdout]).to.deep.equal([0, 'arrived']);
    },
  };
}

/** What a container reads of a server on the host's loopback. */
async function fromLoopback(rig: Rig, network: string): Promise<string> {
  const server = rig.start(['socat', 'TCP4-LISTEN:6200,bind=127.0.0.1', 'SYSTEM:echo loopback']);
  await rig.run(['sh', '-c', 'until ss -Hltn | grep -q :6200; do sleep 0.05; done']);
  try {
    const words = ['podman', 'run', '--rm', network, IMAGE, 'socat', '-u', 'TCP4:10.0.2.2:6200,connect-timeout=2', 'STDOUT'];
    return (await rig.run(words)).stdout;
  } finally {
    await server.stop('SIGKILL');
  }
}

export const SLIRP: readonly Case[] = [
  {
    title: 'slirp4netns: addresses, route and name server',
    async check(rig) {
      const said = await inContainer(rig, [NETWORK], 'ip addr; ip route; cat /etc/resolv.conf');
      expect(said).to.match(/inet 10\.0\.2\.100\/24[^]*default via 10\.0\.2\.2 dev tap0[^]*nameserver 10\.0\.2\.3/);
    },
  },
  {
    title: 'slirp4netns:cidr=, mtu=',
    async check(rig) {
      const said = await inContainer(rig, [`${NETWORK}:cidr=10.9.0.0/24,mtu=1400`], 'ip addr');
      expect(said).to.match(/tap0: .* mtu 1400 [^]*inet 10\.9\.0\.100\/24/);
    },
  },
  fetches('slirp4netns: HTTP by name', NETWORK, NAME),
  fetches('slirp4netns: HTTP over IPv6', `${NETWORK}:enable_ipv6=true`, `[${TARGET6}]`),
  publishes('slirp4netns: a published port, by podman’s own proxy', NETWORK),
  publishes('slirp4netns:port_handler=slirp4netns', `${NETWORK}:port_handler=slirp4netns`),
  {
    title: 'slirp4netns: the host’s loopback is out of reach',
    async check(rig) {
      expect(await fromLoopback(rig, NETWORK)).to.equal('');
    },
  },
  {
    title: 'slirp4netns:allow_host_loopback=true',
    async check(rig) {
      expect(await fromLoopback(rig, `${NETWORK}:allow_host_loopback=true`)).to.equal('loopback\n');
    },
  },
  {
    title: 'rootlesskit --net=slirp4netns --port-driver=slirp4netns',
    async check(rig) {
      const words = [
        '--net=slirp4netns',
        '--copy-up=/etc',
        '--disable-host-loopback',
        '--port-driver=slirp4netns',
        '--publish',
        '0.0.0.0:6000:6000/tcp',
      ];
      const waiting = 'until ss -Hltn | grep -q :6000; do sleep 0.05; done; echo listening';
      const command = `busybox wget -q -O - http://${TARGET4}/; (${waiting}) & exec timeout 20 socat -u TCP4-LISTEN:6000 STDOUT`;
      const kit = rig.start(['rootlesskit', ...words, 'sh', '-c', command], {
        env: { PATH: '/opt/under-test/bin:/usr/bin:/bin:/usr/sbin:/sbin' },
      });
      const ended = kit.finished.then((end) => {
        throw new Error(`rootlesskit: exit ${end.code}: ${end.stderr}${end.stdout}`);
      });
      ended.catch(() => undefined);
      await Promise.race([kit.waitFor(new RegExp(`${WORDS}[^]*listening`)), ended]);
      await Promise.race([rig.run(['sh', '-c', 'until ss -Hltn | grep -q :6000; do sleep 0.05; done']), ended]);
      await send(rig, 'tcp', '127.0.0.1', 6000, 'arrived');
      expect((await kit.finished).stdout).to.contain('arrived');
    },
  },
];
