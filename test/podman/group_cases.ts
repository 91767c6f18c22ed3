/**
 * What is more than one container: pods, Kubernetes' files, builds, bridge networks, and rootlesskit.
 */
import { expect } from 'chai';
import { HOST4, TARGET4 } from '../support/topology.ts';
import { type Case, receiving, send } from './case.ts';
import { IMAGE, listens, NAME, type Rig, WORDS } from './rig.ts';

const FIRST_IN_PATH = { PATH: '/opt/under-test/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin' };

async function write(rig: Rig, path: string, text: string): Promise<void> {
  await rig.run(['sh', '-c', `mkdir -p "$(dirname ${path})" && cat > ${path}`], { input: text });
}

/** Runs a command that must succeed, and gives both outputs. */
async function done(rig: Rig, words: readonly string[], options: Parameters<Rig['run']>[1] = {}): Promise<string> {
  const end = await rig.run(words, { timeout: 60_000, ...options });
  expect(end.code, `${words.join(' ')}: ${end.stderr}${end.stdout}`).to.equal(0);
  return end.stdout + end.stderr;
}

const PODS: readonly Case[] = [
  {
    title: 'a pod: its port, loopback between its containers, its name',
    async check(rig) {
      await rig.podman('pod', 'create', '--name=pod', '-p', '6000:80', '--hostname=podded');
      await rig.podman('run', '-d', '--pod=pod', '--name=server', IMAGE, 'sh', '-c', receiving('tcp', 80));
      await listens(rig, 'socat', 'tcp', 80);
      expect(await rig.podman('run', '--rm', '--pod=pod', IMAGE, 'cat', '/etc/hosts')).to.match(new RegExp(`^${HOST4}\\s.*podded`, 'm'));
      await rig.podman('run', '--rm', '--pod=pod', IMAGE, 'sh', '-c', 'echo inside | socat -u STDIN TCP4:127.0.0.1:80');
      expect(await rig.podman('wait', 'server')).to.equal('0');
      await rig.podman('start', 'server');
      await listens(rig, 'socat', 'tcp', 80);
      await send(rig, 'tcp', HOST4, 6000, 'outside\n');
      expect(await rig.podman('wait', 'server')).to.equal('0');
      expect(await rig.podman('logs', 'server')).to.equal('inside\noutside');
    },
  },
  {
    title: 'podman pod restart, stop and rm',
    async check(rig) {
      await rig.podman('pod', 'create', '--name=pod', '-p', '6000:80');
      await rig.podman('run', '-d', '--pod=pod', '--name=server', '--stop-timeout=0', IMAGE, 'sh', '-c', receiving('tcp', 80));
      await rig.podman('pod', 'restart', 'pod');
      await listens(rig, 'socat', 'tcp', 80);
      await send(rig, 'tcp', '127.0.0.1', 6000, 'x');
      await rig.podman('pod', 'stop', '-t', '0', 'pod');
      await rig.podman('pod', 'rm', '-f', 'pod');
    },
  },
  {
    title: 'podman kube play and down',
    async check(rig) {
      const text = `apiVersion: v1
kind: Pod
metadata: { name: played }
spec:
  containers:
    - name: server
      image: ${IMAGE}
      imagePullPolicy: Never
      command: [socat, -u, 'TCP4-LISTEN:80', STDOUT]
      ports: [{ containerPort: 80, hostPort: 6000 }]
`;
      await write(rig, '/tmp/pod.yaml', text);
      await done(rig, ['podman', 'kube', 'play', '--network=pasta', '/tmp/pod.yaml']);
      await listens(rig, 'socat', 'tcp', 80);
      await send(rig, 'tcp', '127.0.0.1', 6000, 'x');
      await done(rig, ['podman', 'kube', 'down', '/tmp/pod.yaml']);
    },
  },
];

const FILE = `FROM ${IMAGE}\nRUN nslookup ${NAME} && wget -q -O - http://${TARGET4}/ && ip -6 addr show scope global\n`;

function build(title: string, words: readonly string[]): Case {
  return {
    title,
    async check(rig) {
      await write(rig, '/tmp/built/Containerfile', FILE);
      const said = await done(rig, [...words, '--no-cache', '-t', 'localhost/built', '/tmp/built']);
      expect(said).to.contain(WORDS);
      await rig.podman('rmi', 'localhost/built');
    },
  };
}

const BUILDS: readonly Case[] = [
  build('podman build with the network', ['podman', 'build', '--network=pasta']),
  build('podman build with an option of pasta', ['podman', 'build', '--network=pasta:--mtu,1400']),
  build('buildah bud with the default network', ['buildah', 'bud', '--isolation=rootless']),
];

const BRIDGES: readonly Case[] = [
  {
    title: 'a bridge network: names, the world, a published port, host.containers.internal',
    async check(rig) {
      await rig.podman('network', 'create', 'bridge1');
      try {
        const command = `nslookup ${NAME} >&2; cat /etc/hosts; exec socat -u TCP4-LISTEN:80 STDOUT`;
        await rig.podman('run', '-d', '--name=bridged', '--network=bridge1', '-p', '6000:80', IMAGE, 'sh', '-c', command);
        await listens(rig, 'socat', 'tcp', 80);
        expect(await rig.podman('exec', 'bridged', 'wget', '-q', '-O', '-', `http://${TARGET4}/`)).to.equal(WORDS);
        await send(rig, 'tcp', '127.0.0.1', 6000, 'x');
        await rig.podman('wait', 'bridged');
        expect((await rig.run(['podman', 'logs', 'bridged'])).stdout).to.match(/169\.254\.1\.2\s+host\.containers\.internal[^]*x$/);
      } finally {
        await rig.run(['podman', 'network', 'rm', '-f', '-t', '0', 'bridge1']);
      }
    },
  },
  {
    title: 'a container leaves one bridge network for another, and its port comes along',
    async check(rig) {
      await rig.podman('network', 'create', 'bridge1');
      await rig.podman('network', 'create', 'bridge2');
      try {
        const command = 'socat TCP4-LISTEN:80,fork SYSTEM:"echo here"';
        await rig.podman('run', '-d', '--name=bridged', '--network=bridge1', '-p', '6000:80', IMAGE, 'sh', '-c', `exec ${command}`);
        await listens(rig, 'socat', 'tcp', 80);
        const said = async () => (await rig.run(['socat', '-u', 'TCP4:127.0.0.1:6000', 'STDOUT'])).stdout;
        expect(await said()).to.equal('here\n');
        await rig.podman('network', 'disconnect', 'bridge1', 'bridged');
        expect(await said()).to.equal('');
        await rig.podman('network', 'connect', 'bridge2', 'bridged');
        expect(await said()).to.equal('here\n');
        await rig.podman('network', 'reload', 'bridged');
        expect(await rig.podman('exec', 'bridged', 'wget', '-q', '-O', '-', `http://${TARGET4}/`)).to.equal(WORDS);
      } finally {
        await rig.run(['podman', 'network', 'rm', '-f', '-t', '0', 'bridge1', 'bridge2']);
      }
    },
  },
  {
    title: 'podman unshare --rootless-netns, and after a pasta that failed',
    async check(rig) {
      const words = ['podman', 'unshare', '--rootless-netns', 'ip', 'addr'];
      await rig.run(['sh', '-c', 'mkdir -p /tmp/failing && ln -sf /bin/false /tmp/failing/pasta']);
      const failed = await rig.run(words, { env: { CONTAINERS_HELPER_BINARY_DIR: '/tmp/failing' } });
      expect(failed.stderr).to.match(/pasta failed with exit code 1/);
      expect(await done(rig, words)).to.contain(HOST4);
    },
  },
];

const ROOTLESSKIT: readonly Case[] = [
  {
    title: 'rootlesskit --net=pasta --port-driver=implicit',
    async check(rig) {
      const words = ['--net=pasta', '--copy-up=/etc', '--disable-host-loopback', '--port-driver=implicit'];
      const command = `busybox wget -q -O - http://${TARGET4}/; exec timeout 20 socat -u TCP4-LISTEN:6000 STDOUT`;
      const kit = rig.start(['rootlesskit', ...words, 'sh', '-c', command], { env: FIRST_IN_PATH });
      const ended = kit.finished.then((end) => {
        throw new Error(`rootlesskit: exit ${end.code}: ${end.stderr}${end.stdout}`);
      });
      ended.catch(() => undefined);
      await Promise.race([kit.waitFor(new RegExp(WORDS)), ended]);
      await Promise.race([rig.run(['sh', '-c', 'until ss -Hltn | grep -q :6000; do sleep 0.05; done']), ended]);
      await send(rig, 'tcp', '127.0.0.1', 6000, 'arrived');
      const end = await kit.finished;
      expect(end.stdout).to.contain('arrived');
      expect(end.code).to.equal(0);
    },
  },
  {
    title: 'rootlesskit with a namespace of its own (--detach-netns)',
    async check(rig) {
      const words = ['--net=pasta', '--copy-up=/etc', '--detach-netns', '--port-driver=implicit'];
      const command = `nsenter -n/$ROOTLESSKIT_STATE_DIR/netns busybox wget -q -O - http://${TARGET4}/`;
      const said = await done(rig, ['rootlesskit', ...words, 'sh', '-c', command], { env: FIRST_IN_PATH });
      expect(said).to.contain(WORDS);
    },
  },
];

export const GROUPS: readonly Case[] = [...PODS, ...BUILDS, ...BRIDGES, ...ROOTLESSKIT];
