/**
 * Ports that can't be listened on: an explicit one ends the start with one line, best effort goes on without it.
 */
import { expect } from 'chai';
import { type Endpoint, startEndpoint } from '../support/endpoint.ts';
import { check, type RunOptions } from '../support/processes.ts';
import { HOST4, HOST6, makeTopology, type Topology } from '../support/topology.ts';
import { runProduct } from '../support/translator.ts';

const TAKEN = 5000;
const NONE = ['-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none'];

describe('ports that can not be listened on', function () {
  this.timeout(60_000);
  let topology: Topology;
  let host: Endpoint;

  before(async () => {
    topology = makeTopology();
    const range = 'echo 32768 60999 > /proc/sys/net/ipv4/ip_local_port_range';
    await check(['sh', '-c', range], { namespace: topology.host, user: 0 });
    host = await startEndpoint({ namespace: topology.host });
    await host.listen('::', TAKEN);
    await host.open('::', TAKEN);
  });

  after(async () => {
    await host?.stop();
    topology?.remove();
  });

  /** What the product says of the options, and the code of a command that ends with 7. */
  async function start(line: string, given: RunOptions = {}): Promise<{ code: number; said: string }> {
    const words = line.split(' ');
    const rest = NONE.filter((_, at) => !words.includes(NONE[at - (at % 2)] as string));
    const { code, stdout, stderr } = await runProduct(topology, [...words, ...rest], ['sh', '-c', 'exit 7'], given);
    expect(stdout).to.equal('');
    return { code, said: stderr };
  }

  const low = "permission denied\\); choose a port from 1024 on, or run 'sysctl net.ipv4.ip_unprivileged_port_start=80' as root";
  const taken = 'address already in use\\); another program has it; choose another port, or stop that program';
  const foreign = 'address not available\\); this host has no such address; choose one of its own, or give --freebind';
  for (const [line, pattern] of [
    [`-t ${TAKEN}`, `--tcp-ports '${TAKEN}': can't listen on TCP port ${TAKEN} \\(${taken}`],
    [`-u ${TAKEN - 1}-${TAKEN + 1}:1-3`, `--udp-ports '.*': can't listen on UDP port ${TAKEN} \\(${taken}`],
    [`-t ${HOST4}/${TAKEN}`, `--tcp-ports '.*': can't listen on TCP port ${TAKEN} of ${HOST4} \\(${taken}`],
    [`-t ${HOST6}/${TAKEN}`, `--tcp-ports '.*': can't listen on TCP port ${TAKEN} of ${HOST6} \\(${taken}`],
    ['-t 80', `--tcp-ports '80': can't listen on TCP port 80 \\(${low}`],
    ['-u 127.0.0.1/80', `--udp-ports '127.0.0.1/80': can't listen on UDP port 80 of 127.0.0.1 \\(${low}`],
    ['-t 203.0.113.7/2000', `--tcp-ports '203.0.113.7/2000': can't listen on TCP port 2000 of 203.0.113.7 \\(${foreign}`],
    [
      '-u %nosuch/2000',
      "--udp-ports '%nosuch/2000': can't listen on UDP port 2000 on nosuch \\(no such device\\); there is no such interface; .*",
    ],
    ['-t ~1024-65535', "--tcp-ports '1-1023': can't listen on TCP port 1 .*"],
  ] as const) {
    it(`${line} ends the start with one line`, async () => {
      const { code, said } = await start(line);
      expect(said).to.match(new RegExp(`^pasta: ${pattern}\n$`));
      expect(code).to.equal(1);
    });
  }

  it('and more than the limit on open files permits, before any is tried', async () => {
    const { code, said } = await start(`-t ${TAKEN - 1000}-${TAKEN + 1000}`, { descriptors: 2000 });
    expect(said).to.match(
      /^pasta: --tcp-ports '4000-6000': 2001 ports in all need \d+ open files, and the limit is 2000; raise it with 'ulimit -Hn \d+' as root, or forward fewer ports\n$/,
    );
    expect(code).to.equal(1);
  });

  for (const line of [
    `-t ~1-${TAKEN - 1},~${TAKEN + 2}-65535`,
    '-t ~1025-65535',
    '--freebind -t 203.0.113.7/2000 -u [2001:db8:9::9]/2000',
    '-t 2000,~2000',
  ]) {
    it(`${line} goes on with what can be had`, async () => {
      expect(await start(line)).to.eql({ code: 7, said: '' });
    });
  }
});
