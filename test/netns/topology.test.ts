/** The rig itself: what a killed run leaves behind is gone with the next one, and its programs are gone at once. */
import { existsSync } from 'node:fs';
import { expect } from 'chai';
import { check, run, start } from '../support/processes.ts';
import { nameOf } from '../support/processtable.ts';
import { makeTopology, sweep, TARGET4, TARGET6 } from '../support/topology.ts';

const SUPPORT = new URL('../support/', import.meta.url);
const LEAVER = `import { makeTopology } from '${SUPPORT}topology.ts';
import { start } from '${SUPPORT}processes.ts';
const topology = makeTopology();
const left = start(['sleep', '1000'], { namespace: topology.host });
setTimeout(() => process.stdout.write(JSON.stringify({ ...topology, pid: left.pid }) + '\\n'), 100);
setTimeout(() => {}, 100_000);`;

describe('topology', function () {
  this.timeout(20_000);

  it('joins two namespaces that reach each other over both families, and removes them', async () => {
    const topology = makeTopology();
    for (const target of [TARGET4, TARGET6]) await check(['ping', '-c', '1', '-W', '2', target], { namespace: topology.host });
    expect((await run(['id', '-u'], { namespace: topology.host })).stdout).to.equal('65534\n');
    topology.remove();
    for (const left of [`/run/netns/${topology.host}`, `/run/netns/${topology.far}`, topology.folder])
      expect(existsSync(left), left).to.equal(false);
  });

  it('gives nobody a port of its servers by chance', async () => {
    const topology = makeTopology();
    try {
      const bindAll = `import socket
held = []
try:
    while True:
        held.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        held[-1].bind(('127.0.0.1', 0))
except OSError:
    print(min(one.getsockname()[1] for one in held[:-1]))`;
      const script = `echo 1024 11000 > /proc/sys/net/ipv4/ip_local_port_range; exec python3 -c "${bindAll}"`;
      const bound = await check(['sh', '-c', script], { namespace: topology.host, user: 0 });
      expect(Number(bound)).to.equal(10_000);
    } finally {
      topology.remove();
    }
  });

  it('sweeps what a killed run has left', async () => {
    const runner = start([process.execPath, '--input-type=module-typescript', '-e', LEAVER], { user: 0 });
    const left = JSON.parse((await runner.waitFor(/\{.*\}/))[0]) as { host: string; folder: string; pid: number };
    expect(nameOf(left.pid)).to.equal('sleep');
    process.kill(runner.pid, 'SIGKILL');
    await runner.finished;
    sweep();
    expect(existsSync(`/run/netns/${left.host}`)).to.equal(false);
    expect(existsSync(left.folder)).to.equal(false);
    const ended = await run(
      ['sh', '-c', `for i in 1 2 3 4 5 6 7 8 9 10; do [ -e /proc/${left.pid}/fd/0 ] || exit 0; sleep 0.1; done; exit 1`],
      { user: 0 },
    );
    expect(ended.code, 'the program of the killed run').to.equal(0);
  });

  it('kills what takes longer than it was given', async () => {
    const result = await run(['sleep', '100'], { timeout: 100 });
    expect(result).to.include({ timedOut: true, code: 137 });
  });
});
