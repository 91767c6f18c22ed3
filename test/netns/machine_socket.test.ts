/** The socket of passt: who may connect and where, clients that lie, stop or never read, and machines that go and come again. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { expect } from 'chai';
import { type Endpoint, startEndpoint } from '../support/endpoint.ts';
import { configureGuest, passtPath, socketPath, startEmptyNamespace, startMachine, startPasst, startPlug } from '../support/machine.ts';
import { arpRequest, MachineClient, prefixed, REPLY } from '../support/machine_client.ts';
import { type Finished, run, type Running, UNPRIVILEGED } from '../support/processes.ts';
import { nameOf, tree } from '../support/processtable.ts';
import { gone } from '../support/product.ts';
import { HOST4, makeTopology, TARGET4, type Topology } from '../support/topology.ts';

const NO_PORTS = ['-t', 'none', '-u', 'none'];
const PORT = 6400;

function workerOf(passt: Running): number {
  return tree(passt.pid).find((pid) => nameOf(pid) === 'passt.worker') as number;
}

/** Private memory of a passt's worker, in KiB. */
function memoryOfWorker(passt: Running): number {
  const status = readFileSync(`/proc/${workerOf(passt)}/status`, 'utf8');
  return Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1]);
}

describe('netns: the socket of a machine', function () {
  this.timeout(60_000);
  let topology: Topology;
  const running: Running[] = [];

  before(() => {
    topology = makeTopology();
  });
  after(() => topology?.remove());
  afterEach(async () => {
    for (const one of running.splice(0)) await one.stop();
  });

  async function started(path: string, words: readonly string[] = []): Promise<Running> {
    const passt = await startPasst('machine', topology, path, ['-d', ...NO_PORTS, ...words]);
    running.push(passt);
    return passt;
  }

  function refused(words: readonly string[]): Promise<Finished> {
    return run([passtPath('machine'), '-f', ...NO_PORTS, ...words], { namespace: topology.host });
  }

  it('is its owner’s alone, and taken over from one that has died', async () => {
    const path = socketPath(topology);
    const first = await started(path);
    expect(statSync(path).mode & 0o777 & ~0o600, 'open to others').to.equal(0);
    await first.stop('SIGKILL');
    expect(existsSync(path)).to.equal(true);
    await started(path);
    const client = new MachineClient(path);
    await client.asks();
    await client.leaves();
  });

  it('is removed at an orderly end, unless another has taken the path', async () => {
    const path = socketPath(topology);
    const first = await started(path);
    rmSync(path);
    const second = await started(path);
    await first.stop();
    expect(existsSync(path)).to.equal(true);
    await second.stop();
    expect(existsSync(path)).to.equal(false);
    // This one fails when it listens at the path already.
    expect((await refused(['-s', path, '-t', '1.2.3.4/80'])).code).to.equal(1);
    expect(existsSync(path)).to.equal(false);
  });

  it('is not taken from one that lives, nor made of a file', async () => {
    const path = socketPath(topology);
    await started(path);
    const live = await refused(['-s', path]);
    expect(live.code).to.equal(1);
    expect(live.stderr.trim().split('\n')).to.have.length(1);
    expect(live.stderr).to.contain(path);
    const file = `${topology.folder}/no-socket`;
    writeFileSync(file, 'precious');
    const { code, stderr } = await refused(['-s', file]);
    expect([code, readFileSync(file, 'utf8')]).to.deep.equal([1, 'precious']);
    expect(stderr.trim().split('\n')).to.have.length(1);
    rmSync(file);
    const nowhere = await refused(['-s', `${topology.folder}/none/x.socket`]);
    expect([nowhere.code, nowhere.stderr.trim().split('\n').length]).to.deep.equal([1, 1]);
  });

  it('serves one client; a second is sent away, and the first does not notice', async () => {
    const path = socketPath(topology);
    await started(path);
    const first = new MachineClient(path);
    await first.asks();
    const second = new MachineClient(path);
    await second.closed;
    expect(second.received).to.equal(0);
    await first.asks();
    await first.leaves();
  });

  it('serves the next client as soon as the one before has left, however late the worker hears of it', async () => {
    const path = socketPath(topology);
    const passt = await started(path);
    const worker = workerOf(passt);
    const first = new MachineClient(path);
    await first.asks();
    process.kill(worker, 'SIGSTOP');
    first.socket.write(arpRequest());
    await first.leaves();
    const next = new MachineClient(path);
    await once(next.socket, 'connect');
    const late = new MachineClient(path);
    await late.closed;
    process.kill(worker, 'SIGCONT');
    await next.asks();
    await next.leaves();
  });

  for (const length of [0, 13, 65_536, 0xffffffff])
    it(`ends the link with a frame of ${length} bytes, and serves the next client`, async () => {
      const path = socketPath(topology);
      await started(path);
      const liar = new MachineClient(path);
      await liar.asks();
      const prefix = Buffer.alloc(100);
      prefix.writeUInt32BE(length);
      liar.socket.write(prefix);
      await liar.closed;
      const next = new MachineClient(path);
      await next.asks();
      await next.leaves();
    });

  it('forgets the piece of a frame that a client has left', async () => {
    const path = socketPath(topology);
    await started(path);
    const first = new MachineClient(path);
    await first.asks();
    first.socket.write(arpRequest().subarray(0, 30));
    first.socket.end();
    await first.closed;
    const next = new MachineClient(path);
    await next.asks();
    for (const byte of arpRequest()) next.socket.write(Buffer.of(byte));
    await next.receives(2 * REPLY);
    await next.leaves();
  });

  it('is served 100,000 tiny frames in a row', async () => {
    const path = socketPath(topology);
    const passt = await started(path);
    const client = new MachineClient(path);
    await client.asks();
    const before = memoryOfWorker(passt);
    client.socket.write(Buffer.concat(new Array<Buffer>(100_000).fill(prefixed(new Uint8Array(14)))));
    await client.asks();
    expect(memoryOfWorker(passt) - before, 'KiB more').to.be.below(8192);
    await client.leaves();
  });

  it('holds back no memory for a client that asks and never reads, which is served when it does', async () => {
    const path = socketPath(topology);
    const passt = await started(path);
    const client = new MachineClient(path);
    await client.asks();
    client.socket.pause();
    const before = memoryOfWorker(passt);
    const questions = Buffer.concat(new Array<Buffer>(10_000).fill(arpRequest()));
    for (let time = 0; time < 30; time++) client.socket.write(questions);
    while (client.socket.writableLength > 0) await once(client.socket, 'drain');
    expect(memoryOfWorker(passt) - before, 'KiB more').to.be.below(12_288);
    client.socket.resume();
    await client.receives(1_000_000);
    await client.leaves();
    const next = new MachineClient(path);
    await next.asks();
    await next.leaves();
  });

  it('ends passt with status 0 when the first client leaves, with --one-off', async () => {
    const path = socketPath(topology);
    const passt = await started(path, ['--one-off']);
    const client = new MachineClient(path);
    await client.asks();
    await client.leaves();
    expect((await passt.finished).code).to.equal(0);
  });

  it('can be connected to when passt has gone into the background, whose process is in the pid file and ends with its machine', async () => {
    const path = socketPath(topology);
    const file = `${path}.pid`;
    const words = ['--one-off', '--socket', path, '--pid', file, '-q', ...NO_PORTS];
    const { code, stderr } = await run([passtPath('machine'), ...words], { namespace: topology.host });
    expect([code, stderr]).to.deep.equal([0, '']);
    const pid = Number(readFileSync(file, 'utf8'));
    expect(nameOf(pid)).to.equal('passt');
    const client = new MachineClient(path);
    await client.asks();
    await client.leaves();
    await gone(pid);
  });

  it('may be handed in, blocking or not; passt ends with it', () => {
    const script = `import socket, subprocess, sys
ours, theirs = socket.socketpair()
passt = subprocess.Popen([sys.argv[1], '-q', '-f', '--fd', str(theirs.fileno()), '-t', 'none', '-u', 'none'], pass_fds=[theirs.fileno()])
theirs.close()
ask = bytes.fromhex(sys.argv[2])
for time in range(3):
    ours.sendall(ask)
    answer = ours.recv(${REPLY}, socket.MSG_WAITALL)
    assert len(answer) == ${REPLY}, answer
ours.close()
sys.exit(passt.wait())`;
    const line = [`--net=/run/netns/${topology.host}`, 'setpriv', `--reuid=${UNPRIVILEGED}`, `--regid=${UNPRIVILEGED}`, '--clear-groups'];
    const words = ['python3', '-c', script, passtPath('machine'), arpRequest().toString('hex')];
    const { status, stderr } = spawnSync('nsenter', [...line, ...words], {
      encoding: 'utf8',
      timeout: 30_000,
      env: { PATH: '/usr/bin:/bin' },
    });
    expect([status, stderr]).to.deep.equal([0, '']);
  });

  it('is refused by one line when what was handed in is none', async () => {
    const closed = await refused(['--fd', '77']);
    expect([closed.code, closed.stderr.trim()]).to.deep.equal([
      1,
      "passt: descriptor 77 is not open here; start us with the machine's socket as descriptor 77",
    ]);
    const server = createServer().listen(socketPath(topology));
    const file = await run([passtPath('machine'), '-f', ...NO_PORTS, '--fd', '3'], { namespace: topology.host, extra: ['ignore'] });
    expect([file.code, file.stderr.trim()]).to.deep.equal([
      1,
      'passt: descriptor 3 is neither a socket nor a tap; give a connected stream socket',
    ]);
    server.close();
  });
});

describe('netns: machines that come again', function () {
  this.timeout(60_000);
  let topology: Topology;
  let far: Endpoint;
  let guest: Endpoint;
  const running: Running[] = [];

  before(async () => {
    topology = makeTopology();
    far = await startEndpoint({ namespace: topology.far });
  });
  after(async () => {
    await far?.stop();
    topology?.remove();
  });
  afterEach(async () => {
    await guest?.stop();
    for (const one of running.splice(0).reverse()) await one.stop();
  });

  it('find their connections as they were when their monitor was killed', async () => {
    const machine = await startMachine('machine', topology, NO_PORTS, 1500);
    running.push(machine.passt, machine.guest);
    guest = await startEndpoint({ namespace: machine.guest.pid });
    const listener = await far.listen(TARGET4, PORT);
    const near = await guest.connect(TARGET4, PORT);
    const distant = await listener.accept();
    distant.resume();
    near.resume();
    await near.send(1000);
    await distant.received(1000);
    await machine.plug.stop('SIGKILL');
    await machine.passt.waitFor(/machine has closed its socket|socket has failed/);
    await distant.send(50_000);
    running.push(await startPlug(machine.guest.pid, machine.path));
    await configureGuest(machine.guest.pid, 1500);
    await near.received(50_000, 20_000);
    near.end();
    expect(await distant.event('end')).to.include({ bytes: 1000, good: true });
  });

  it('are found again by a passt that was started anew, before they have said a word', async () => {
    const words = ['-d', '-t', String(PORT + 1), '-u', 'none'];
    const machine = await startMachine('machine', topology, words, 1500);
    running.push(machine.plug, machine.guest);
    guest = await startEndpoint({ namespace: machine.guest.pid });
    const listener = await guest.listen('0.0.0.0', PORT + 1);
    await machine.passt.stop('SIGKILL');
    running.push(await startPasst('machine', topology, machine.path, words));
    await machine.plug.waitFor(/connected[^]*gone[^]*connected/);
    const client = await far.connect(HOST4, PORT + 1);
    const accepted = await listener.accept();
    accepted.resume();
    await client.send(1000);
    await accepted.received(1000);
  });

  it('need no namespace that was there before', async () => {
    const path = socketPath(topology);
    running.push(await startPasst('machine', topology, path, NO_PORTS));
    for (let time = 0; time < 2; time++) {
      const holder = await startEmptyNamespace();
      const plug = await startPlug(holder.pid, path);
      await configureGuest(holder.pid, 1500);
      const { code } = await run(['ping', '-c', '1', '-W', '5', TARGET4], { namespace: holder.pid, user: 0 });
      expect(code).to.equal(0);
      await plug.stop('SIGKILL');
      await holder.stop();
    }
  });
});
