/**
 * The demonstration of `npm start`: what it shows, on a machine with an uplink and on one without, and that it doesn't praise what is broken.
 */
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { type Finished, run } from '../support/processes.ts';
import { makeTopology, type Topology } from '../support/topology.ts';

const DEMO = [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  fileURLToPath(new URL('../../bench/demo/main.ts', import.meta.url)),
  '--brief',
];
const FIGURES = [
  /guest to host, MTU 65520( +[\d.]+ [GM]bit\/s){2} .* all the same/,
  /host to guest, MTU 65520( +[\d.]+ [GM]bit\/s){2} .* all the same/,
  /guest to host, MTU 1500( +[\d.]+ [GM]bit\/s){2} .* all the same/,
  /host to guest, MTU 1500( +[\d.]+ [GM]bit\/s){2} .* all the same/,
  /round trip, 1 byte of TCP, p50( +\d+ µs){2}/,
  /round trip, 1 byte of UDP, p50( +\d+ µs){2}/,
  /connect, 1 byte, close( +[\d,]+ \/s){2}/,
];
const ROOMS = [
  /^ +pasta +\d+ +65534 /m,
  /^ +pasta\.worker +\d+ +65534 +3 +none +yes +[2-9] +empty, read-only +user mnt net pid ipc uts$/m,
  /^ +pasta\.opener \(host\) +\d+ +65534 +1 +none +yes +[1-9] +empty, read-only /m,
  /^ +pasta\.opener \(guest\) +\d+ +65534 +1 +low ports +yes +[1-9] +empty, read-only /m,
];

describe('demonstration', function () {
  this.timeout(60_000);
  let topology: Topology;

  before(() => {
    topology = makeTopology();
  });

  after(() => topology?.remove());

  function show(prefix: readonly string[] = []): Promise<Finished> {
    return run([...prefix, ...DEMO], { namespace: topology.host, user: 0 });
  }

  it('moves and compares data both ways over both families, and shows every room confined', async () => {
    const { code, stdout } = await show();
    for (const pattern of [...FIGURES, ...ROOMS]) expect(stdout).to.match(pattern);
    expect(stdout).to.match(/All of this works here\.\n$/);
    expect(code).to.equal(0);
  });

  it('works on a machine without any uplink', async () => {
    const { code, stdout } = await show(['unshare', '--net', 'sh', '-ec', 'ip link set lo up; exec "$@"', 'sh']);
    for (const pattern of FIGURES) expect(stdout).to.match(pattern);
    expect(code).to.equal(0);
  });

  it('ends with 1, and with the reason, where the product cannot start', async () => {
    const { code, stdout, stderr } = await show(['unshare', '--mount', 'sh', '-ec', 'mount -t tmpfs none /dev/net; exec "$@"', 'sh']);
    expect(stderr).to.include('/dev/net/tun');
    expect(stdout).to.match(/Failed: .*\n +Not everything works here\.\n$/);
    expect(code).to.equal(1);
  });
});
