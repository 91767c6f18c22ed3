/**
 * What a container reaches: the world, and of the host what was allowed.
 */
import { expect } from 'chai';
import { GATEWAY4, GATEWAY6, TARGET4, TARGET6 } from '../support/topology.ts';
import { type Case, inContainer } from './case.ts';
import { IMAGE, type Rig, WORDS } from './rig.ts';

/** A server on the host's loopback, for one connection. */
async function onLoopback(rig: Rig, address: string, work: () => Promise<void>): Promise<void> {
  const kind = address.includes(':') ? `TCP6-LISTEN:6200,bind=[${address}]` : `TCP4-LISTEN:6200,bind=${address}`;
  const server = rig.start(['socat', kind, 'SYSTEM:echo loopback']);
  await rig.run(['sh', '-c', 'until ss -Hltn | grep -q :6200; do :; done']);
  try {
    await work();
  } finally {
    await server.stop('SIGKILL');
  }
}

function fetches(title: string, words: readonly string[], address: string): Case {
  return {
    title,
    async check(rig) {
      expect(await inContainer(rig, words, `wget -q -O - http://${address}/`)).to.equal(WORDS);
    },
  };
}

export const OUTWARD: readonly Case[] = [
  fetches('HTTP over IPv4', [], TARGET4),
  fetches('HTTP over IPv6', [], `[${TARGET6}]`),
  fetches('HTTP at an MTU of 1280', ['--network=pasta:-m,1280'], `[${TARGET6}]`),
  {
    title: 'ping, IPv4 and IPv6',
    async check(rig) {
      const said = await inContainer(rig, ['--cap-add=net_raw'], `ping -c 1 -W 5 ${TARGET4} && ping -6 -c 1 -W 5 ${TARGET6}`);
      expect(said.match(/1 packets received/g)).to.have.length(2);
    },
  },
  {
    title: 'the host’s loopback is out of reach',
    check: (rig) =>
      onLoopback(rig, '127.0.0.1', async () => {
        const end = await rig.run(['podman', 'run', '--rm', IMAGE, 'socat', '-u', `TCP4:${GATEWAY4}:6200,connect-timeout=2`, 'STDOUT']);
        expect(end.stdout).to.equal('');
        expect(end.code).to.equal(1);
      }),
  },
  {
    title: 'the gateway is the host’s loopback when asked for (pasta:--map-gw)',
    check: (rig) =>
      onLoopback(rig, '127.0.0.1', async () => {
        const said = await inContainer(rig, ['--network=pasta:--map-gw'], `socat -u TCP4:${GATEWAY4}:6200 STDOUT`);
        expect(said).to.equal('loopback');
      }),
  },
  {
    title: 'the same over IPv6',
    check: (rig) =>
      onLoopback(rig, '::1', async () => {
        const said = await inContainer(rig, ['--network=pasta:--map-gw'], `socat -u TCP6:[${GATEWAY6}]:6200 STDOUT`);
        expect(said).to.equal('loopback');
      }),
  },
  {
    title: 'an address of choice is the host’s loopback (pasta:--map-host-loopback)',
    check: (rig) =>
      onLoopback(rig, '127.0.0.1', async () => {
        const words = ['--network=pasta:--map-host-loopback,198.18.3.3'];
        expect(await inContainer(rig, words, 'socat -u TCP4:198.18.3.3:6200 STDOUT')).to.equal('loopback');
      }),
  },
  {
    title: 'a port of the container’s loopback is the host’s (pasta:-T)',
    check: (rig) =>
      onLoopback(rig, '127.0.0.1', async () => {
        expect(await inContainer(rig, ['--network=pasta:-T,6200'], 'socat -u TCP4:127.0.0.1:6200 STDOUT')).to.equal('loopback');
      }),
  },
];
