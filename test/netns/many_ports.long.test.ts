/**
 * Thousands of forwarded ports: until when they are there, what they cost, and that they lead to the guest. It prints a line for each amount.
 */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { RESERVED_DESCRIPTORS } from '../../shared/limits.ts';
import { type Endpoint, startEndpoint } from '../support/endpoint.ts';
import { check } from '../support/processes.ts';
import { cpuSeconds, nameOf, residentBytes } from '../support/processtable.ts';
import { comeToRest } from '../support/rest.ts';
import { HOST4, HOST6, makeTopology, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const FIRST = 1024;
/** Each port is one socket for both families. */
const MOST = 65_535 - FIRST + 1;

/** Ports of TCP and as many of UDP that the limit on open files permits: those of the worker itself and as many for flows are left. */
function mostPermitted(): number {
  const limit = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
  return limit === 'unlimited' ? MOST : Math.min(Math.floor((Number(limit) - 2 * RESERVED_DESCRIPTORS) / 2), MOST);
}

describe('thousands of forwarded ports', function () {
  this.timeout(60_000);
  let topology: Topology;
  let far: Endpoint;

  before(async () => {
    topology = makeTopology();
    // Ports of clients shall not be those that are forwarded.
    await check(['sh', '-c', 'echo 65000 65535 > /proc/sys/net/ipv4/ip_local_port_range'], { namespace: topology.far, user: 0 });
    far = await startEndpoint({ namespace: topology.far });
  });
  after(async () => {
    await far?.stop();
    topology?.remove();
  });

  /** A connection and a datagram to `port` come to the guest. */
  async function reach(guest: Endpoint, address: string, any: string, port: number, protocols: readonly string[]): Promise<void> {
    if (protocols.includes('tcp')) {
      const listener = await guest.listen(any, port);
      const accepting = listener.accept();
      await far.connect(address, port);
      await accepting;
      listener.close();
    }
    if (protocols.includes('udp')) {
      const [server, client] = [await guest.open(any, port), await far.open(any)];
      client.send(address, port, 500);
      expect(await server.message()).to.include({ size: 500, good: true });
      for (const socket of [server, client]) socket.close();
    }
  }

  function costOf(translator: Translator): string {
    const rooms = translator.pids().filter((pid) => residentBytes([pid]) > 0);
    const cpu = rooms.map((pid) => `${nameOf(pid)} ${(1000 * cpuSeconds([pid])).toFixed(0)} ms`);
    const memory = rooms.map((pid) => `${(residentBytes([pid]) / 1e6).toFixed(1)}`);
    return `CPU: ${cpu.join(', ')}; MB: ${memory.join(', ')}`;
  }

  const amounts: [string, number, readonly string[]][] = [
    ['no port', 0, []],
    ['1,000 ports of TCP', 1000, ['tcp']],
    ['10,000 ports of TCP', 10_000, ['tcp']],
    ['as many ports of TCP and UDP as may be', mostPermitted(), ['tcp', 'udp']],
  ];
  for (const [what, count, protocols] of amounts)
    it(`${what}: all are there at once, and cost nothing then`, async () => {
      const range = `${FIRST}-${FIRST + count - 1}`;
      const words = (option: string, protocol: string): string[] => [option, protocols.includes(protocol) ? range : 'none'];
      const options = [...words('-t', 'tcp'), ...words('-u', 'udp'), '-T', 'none', '-U', 'none'];
      const begun = performance.now();
      const translator = await startTranslator('ravioli', topology, { options });
      const took = performance.now() - begun;
      try {
        const cost = costOf(translator);
        const idle = await comeToRest(translator.pids());
        process.stdout.write(
          `      ${count * protocols.length} sockets: ${took.toFixed(0)} ms; ${cost}; idle ${(1000 * idle).toFixed(0)} ms/s\n`,
        );
        const guest = await startEndpoint({ namespace: translator.guest });
        for (const port of count === 0 ? [] : [FIRST, FIRST + count - 1]) {
          await reach(guest, HOST4, '0.0.0.0', port, protocols);
          await reach(guest, HOST6, '::', port, protocols);
        }
        await guest.stop();
      } finally {
        await translator.stop();
      }
    });
});
