/**
 * Starting, stopping, killing: every container has its own pasta, which goes with it and leaves nothing. What is left after a case fails
 * it (run.ts), so some of these only have to make trouble.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { type Case, inContainer, send } from './case.ts';
import { IMAGE, kill, listening, listens, type Rig } from './rig.ts';

/** Waits until something is so; podman's own tests give five seconds, on machines with nothing else to do. */
async function until(what: string, so: () => boolean | Promise<boolean>): Promise<void> {
  for (const limit = Date.now() + 20_000; Date.now() < limit; await pause(20)) if (await so()) return;
  throw new Error(`not so after 20 s: ${what}`);
}

/** Processes of pasta that hold the machine's descriptor tables: of each network the first one. */
function pastas(rig: Rig): number[] {
  return [...rig.named('pasta'), ...rig.named('pasta.avx2')];
}

/** The words as a shell reads them. */
function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(' ');
}

/** A container that answers each connection to its port 80 with a word, published at a port of the host. */
function answering(name: string, port: number, ...words: string[]): string[] {
  const command = 'exec socat TCP-LISTEN:80,fork,reuseaddr SYSTEM:"echo here"';
  return ['podman', 'run', '-d', `--name=${name}`, '-p', `${port}:80`, ...words, IMAGE, 'sh', '-c', command];
}

async function answers(rig: Rig, port: number): Promise<boolean> {
  const end = await rig.run(['socat', '-u', `TCP4:127.0.0.1:${port}`, 'STDOUT']);
  return end.stdout === 'here\n';
}

async function runs(rig: Rig, words: readonly string[]): Promise<void> {
  const end = await rig.run(words, { timeout: 120_000 });
  expect(end.code, `${words.join(' ')}: ${end.stderr}`).to.equal(0);
}

export const LIFECYCLE: readonly Case[] = [
  {
    title: 'pasta goes when the namespace is gone',
    async check(rig) {
      await inContainer(rig, ['--network=pasta:--pid,/tmp/pasta.pid'], 'true');
      const pid = (await rig.run(['cat', '/tmp/pasta.pid'])).stdout;
      expect(pid).to.match(/^\d+\n$/);
      await until('the process is gone', async () => (await rig.run(['kill', '-0', pid.trim()])).code !== 0);
    },
  },
  {
    title: 'the process of the pid file is the one that listens, and takes all with it',
    async check(rig) {
      await runs(rig, answering('kept', 6000, '--network=pasta:--pid,/tmp/pasta.pid'));
      const pid = (await rig.run(['cat', '/tmp/pasta.pid'])).stdout.trim();
      await rig.run(['kill', '-KILL', pid]);
      await until('its port is free', () => listening(rig.topology.host).length === 0);
      await until('no process of it is left', () => pastas(rig).length === 0 && rig.named('pasta.worker').length === 0);
    },
  },
  {
    title: 'SIGTERM ends it at once',
    async check(rig) {
      await runs(rig, answering('kept', 6000, '--network=pasta:--pid,/tmp/pasta.pid'));
      const pid = (await rig.run(['cat', '/tmp/pasta.pid'])).stdout.trim();
      await rig.run(['podman', 'unshare', 'kill', pid]);
      await until('its port is free', () => listening(rig.topology.host).length === 0);
    },
  },
  {
    title: 'nothing of the caller’s stays open in it',
    async check(rig) {
      const many = 'for number in {3..99}; do eval "exec $number> /tmp/inherited"; done';
      await runs(rig, ['bash', '-c', `${many}; ${quoted(answering('kept', 6000))}`]);
      const all = [...pastas(rig), ...rig.named('pasta.worker'), ...rig.named('pasta.opener')];
      expect(all).not.to.deep.equal([]);
      const open = all.flatMap((pid) => readdirSync(`/proc/${pid}/fd`).map((number) => readlinkSync(`/proc/${pid}/fd/${number}`)));
      expect(open).not.to.contain('/tmp/inherited');
    },
  },
  {
    title: 'podman restart, stop and start keep the port',
    async check(rig) {
      await runs(rig, answering('again', 6000));
      for (const words of [['restart', '-t', '0'], ['stop', '-t', '0'], ['start']]) {
        await rig.podman(...words, 'again');
        if (words[0] === 'stop') await until('the port is free', () => listening(rig.topology.host).length === 0);
        else await until('it answers', () => answers(rig, 6000));
      }
    },
  },
  {
    title: 'podman kill frees the port, and another container takes it',
    async check(rig) {
      await runs(rig, answering('first', 6000));
      await rig.podman('kill', 'first');
      await rig.podman('wait', 'first');
      await until('the port is free', () => listening(rig.topology.host).length === 0);
      await runs(rig, answering('second', 6000));
      await until('it answers', () => answers(rig, 6000));
    },
  },
  {
    title: 'a container that fails is restarted with its port',
    async check(rig) {
      const command = `n=$(cat /runs 2>/dev/null || echo 0); echo $((n+1)) > /runs; [ $n = 2 ] && exec socat -u TCP-LISTEN:80 STDOUT; exit 1`;
      await rig.podman('run', '-d', '--name=failing', '--restart=on-failure:5', '-p', '6000:80', IMAGE, 'sh', '-c', command);
      await listens(rig, 'socat', 'tcp', 80);
      await send(rig, 'tcp', '127.0.0.1', 6000, 'third');
      await until('it got it', async () => (await rig.podman('logs', 'failing')) === 'third');
    },
  },
  {
    title: 'podman network reload leaves it as it is',
    async check(rig) {
      await runs(rig, answering('reloaded', 6000));
      await rig.run(['podman', 'network', 'reload', '--all']);
      await until('it answers', () => answers(rig, 6000));
    },
  },
  {
    title: 'podman exec, cp and commit beside a connection',
    async check(rig) {
      await runs(rig, answering('used', 6000));
      expect(await rig.podman('exec', 'used', 'ip', 'route', 'show', 'default')).to.match(/dev eth0/);
      await rig.podman('commit', '-q', 'used', 'localhost/committed');
      await rig.podman('rmi', 'localhost/committed');
      await until('it answers', () => answers(rig, 6000));
    },
  },
  {
    title: 'removed while it starts, 12 times',
    async check(rig) {
      for (let round = 0; round < 12; round++) {
        const starting = rig.run(answering(`race${round}`, 6000));
        await pause(round * 15);
        await rig.run(['podman', 'rm', '-f', '-t', '0', `race${round}`]);
        await starting;
        await rig.run(['podman', 'rm', '-f', '-t', '0', `race${round}`]);
        await until('the port is free', () => listening(rig.topology.host).length === 0);
      }
    },
  },
  {
    title: 'podman killed while it starts one, 12 times',
    async check(rig) {
      for (let round = 0; round < 12; round++) {
        const starting = rig.start(answering(`killed${round}`, 6000));
        await pause(20 + round * 15);
        for (const pid of rig.named('podman')) kill(pid);
        await starting.finished;
        await rig.run(['podman', 'rm', '-f', '-t', '0', `killed${round}`]);
      }
    },
  },
  {
    title: 'started, restarted, stopped and killed by several at once',
    async check(rig) {
      await runs(rig, answering('raced', 6000));
      const all = [['restart', '-t', '0'], ['kill'], ['start'], ['stop', '-t', '0'], ['restart', '-t', '0']];
      for (let round = 0; round < 3; round++) await Promise.all(all.map((words) => rig.run(['podman', ...words, 'raced'])));
      // podman takes the network of a container away that another podman has just started, and then says that it runs: `start` does nothing.
      await until('it is started', async () => (await rig.run(['podman', 'restart', '-t', '0', 'raced'])).code === 0);
      await until('it answers', () => answers(rig, 6000));
    },
  },
  {
    title: 'podman system reset takes all of it away',
    async check(rig) {
      try {
        await runs(rig, answering('own', 6000));
        await rig.podman('network', 'create', 'bridge2');
        await runs(rig, answering('bridged', 6001, '--network=bridge2'));
        await rig.podman('system', 'reset', '--force');
        await until('the ports are free', () => listening(rig.topology.host).length === 0);
        await until('no pasta is left', () => pastas(rig).length === 0);
      } finally {
        await rig.podman('import', '/opt/image.tar', IMAGE);
      }
    },
  },
  {
    title: 'one that fails to start leaves nothing',
    async check(rig) {
      const end = await rig.run(['podman', 'run', '-d', '-p', '6000:80', IMAGE, '/no/such/program']);
      expect(end.code).to.equal(127);
    },
  },
  {
    title: 'standard output is let go: a pipe ends with podman',
    async check(rig) {
      const end = await rig.run(['sh', '-c', `${quoted(answering('piped', 6000))} | cat`], { timeout: 10_000 });
      expect(end.timedOut).to.equal(false);
    },
  },
  {
    title: '50 containers in parallel, each with a port',
    alone: true,
    async check(rig) {
      const ports = Array.from({ length: 50 }, (_, index) => 6300 + index);
      await Promise.all(ports.map((port) => runs(rig, answering(`many${port}`, port))));
      for (const port of ports) await until(`port ${port} answers`, () => answers(rig, port));
    },
  },
];
