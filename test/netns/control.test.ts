/** The control socket of a whole run, as an ordinary user has it: where it is, who may ask, and what is left of it. */
import { existsSync, mkdirSync, chownSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { type Finished, run, type Running, start, UNPRIVILEGED } from '../support/processes.ts';
import { failure, inward } from '../support/connections.ts';
import { type Endpoint, startEndpoint } from '../support/endpoint.ts';
import { HOST4, HOST6, makeTopology, type Topology } from '../support/topology.ts';
import { programPath, runProduct, startTranslator, type Translator } from '../support/translator.ts';

const MEGABYTE = 1_000_000;
const PESTO = '/opt/peer/bin/pesto';
const RAVIOLI = fileURLToPath(new URL('../../bin/ravioli', import.meta.url));

describe('the control socket of a run', function () {
  this.timeout(60_000);
  let topology: Topology;
  let runtime: string;
  let count = 0;
  const runs: Running[] = [];

  before(() => {
    topology = makeTopology();
  });

  beforeEach(() => {
    runtime = `${topology.folder}/runtime${count++}`;
    mkdirSync(runtime, { mode: 0o700 });
    chownSync(runtime, UNPRIVILEGED, UNPRIVILEGED);
  });

  afterEach(async () => {
    for (const running of runs.splice(0)) await running.stop('SIGKILL');
  });

  after(() => topology?.remove());

  /** A run with a guest that waits; its own socket is served when this returns. */
  async function guest(...options: string[]): Promise<Running> {
    const running = start([programPath('ravioli'), '--config-net', ...options, '--', 'sh', '-c', 'echo guest-ready; exec sleep infinity'], {
      namespace: topology.host,
      env: { XDG_RUNTIME_DIR: runtime },
    });
    runs.push(running);
    await running.waitFor(/guest-ready/);
    return running;
  }

  function ravioli(words: string, given: { user?: number } = {}): Promise<Finished> {
    return run([RAVIOLI, 'forward', ...words.split(' ')], { namespace: topology.host, env: { XDG_RUNTIME_DIR: runtime }, ...given });
  }

  it('is looked for where the user has a folder for it, and it is told when there is none', async () => {
    const { code, stderr } = await run([RAVIOLI, 'forward', 'list'], { namespace: topology.host, env: { XDG_RUNTIME_DIR: '' } });
    expect([code, stderr]).to.deep.equal([
      1,
      'ravioli: XDG_RUNTIME_DIR names no folder of this user, where runs are looked for; set it, or give --path with the path that the run has got with --conf-path\n',
    ]);
  });

  const places = (): string[] => readdirSync(`${runtime}/ravioli`).sort();
  const placesOf = ({ pid }: Running): string[] => [`${pid}.sock`, `${pid}.status`];

  it('with -c is where it was asked for, serves pesto, and is gone at the end', async function () {
    // The peer's program is no package of ours.
    if (!existsSync(PESTO)) this.skip();
    const path = `${topology.folder}/control`;
    const running = await guest('-c', path);
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    const { code, stdout, stderr } = await run([PESTO, path]);
    expect(code, stderr).to.equal(0);
    expect(stdout.split('\n').map((line) => line.trim())).to.include.members(['HOST', 'SPLICE']);
    expect((await run([PESTO, path], { user: 0 })).code, 'root').to.equal(0);
    expect((await run([PESTO, path], { user: UNPRIVILEGED - 1 })).stderr).to.match(/Permission denied/);
    await running.stop();
    expect(existsSync(path)).to.equal(false);
  });

  it('takes the place of one that was killed, and no other place', async () => {
    const path = `${topology.folder}/killed`;
    await (await guest('-c', path)).stop('SIGKILL');
    expect(existsSync(path)).to.equal(true);
    await guest('-c', path);
    const second = await runProduct(topology, ['-c', path], ['echo', 'runs']);
    expect(second.code).to.equal(1);
    expect(second.stderr).to.equal(`pasta: cannot make the control socket '${path}': another process listens there; choose another path\n`);
    writeFileSync(`${path}.txt`, 'precious');
    expect((await runProduct(topology, ['-c', `${path}.txt`], ['echo', 'runs'])).stderr).to.contain('there is another file');
    expect(second.stdout).to.equal('');
  });

  it('without -c is found by ravioli forward, and nothing stays of it', async () => {
    const one = await guest();
    const other = await guest();
    const { code, stdout, stderr } = await ravioli('list --json');
    expect(code, stderr).to.equal(0);
    const listed = JSON.parse(stdout) as { pid: number; rules: unknown[] }[];
    expect(listed.map(({ pid }) => pid)).to.deep.equal([one.pid, other.pid].sort((a, b) => a - b));
    expect((await ravioli('add -t 8080')).stderr).to.match(/^ravioli: 2 runs are found: give --pid with one of \d+, \d+\n$/);
    expect((await ravioli(`list --pid ${one.pid}`)).stdout).to.match(new RegExp(`^process ${one.pid} `));
    await one.stop();
    expect(places()).to.deep.equal(placesOf(other));
    await other.stop('SIGKILL');
    expect(places()).to.deep.equal(placesOf(other));
    expect(JSON.parse((await ravioli('list --json')).stdout)).to.deep.equal([]);
    const next = await guest();
    await ravioli('list');
    expect(places()).to.deep.equal(placesOf(next));
  });

  it('is not for the guest, though that runs as the same user and sees the file', async () => {
    const { code, stdout, stderr } = await runProduct(
      topology,
      ['--no-pidns'],
      ['sh', '-c', `until set -- ${runtime}/ravioli/*.sock; [ -S "$1" ]; do :; done; exec ${RAVIOLI} forward list --path "$1" 2>&1`],
      { env: { XDG_RUNTIME_DIR: runtime } },
    );
    expect(code, stderr).to.equal(1);
    expect(stdout).to.match(/it has sent us away; only its own user and root may ask, and not from within the guest/);
    expect(stderr).to.match(/process \d+ may not use the control socket: it is in the guest's network/);
  });
});

describe('rules that change while there is traffic', function () {
  this.timeout(60_000);
  let topology: Topology;
  let translator: Translator;
  let guest: Endpoint;
  let far: Endpoint;
  let host: Endpoint;
  let path: string;

  before(async () => {
    topology = makeTopology();
    path = `${topology.folder}/control`;
    translator = await startTranslator('ravioli', topology, {
      options: ['-c', path, '-t', '7000', '-u', 'none', '-T', 'none', '-U', 'none'],
    });
    guest = await startEndpoint({ namespace: translator.guest });
    far = await startEndpoint({ namespace: topology.far });
    host = await startEndpoint({ namespace: topology.host });
  });

  after(async () => {
    for (const endpoint of [guest, far, host]) await endpoint?.stop();
    await translator?.stop();
    topology?.remove();
  });

  /** Changes the rules; resolves when they are in force. */
  async function forward(words: string): Promise<void> {
    const { code, stderr } = await run([RAVIOLI, 'forward', ...words.split(' '), '--path', path], { namespace: topology.host });
    expect(code, `${words}: ${stderr}`).to.equal(0);
  }

  for (const [family, address, isFar] of [
    ['IPv4', HOST4, true],
    ['IPv6', HOST6, true],
    ['IPv4 from the loopback', '127.0.0.1', false],
    ['IPv6 from the loopback', '::1', false],
  ] as const) {
    const any = address.includes(':') ? '::' : '0.0.0.0';
    const outside = (): Endpoint => (isFar ? far : host);

    it(`a port that is added leads to the guest at once, and one that is taken away nowhere, ${family}`, async () => {
      expect(await failure(outside().connect(address, 7100))).to.contain('ECONNREFUSED');
      await forward('add -t 7100');
      const pair = await inward(guest, outside(), address, 7100);
      await forward('del -t 7100');
      expect(await failure(outside().connect(address, 7100))).to.contain('ECONNREFUSED');
      pair.guest.resume();
      await pair.host.send(MEGABYTE);
      await pair.guest.received(MEGABYTE);
      await pair.guest.send(MEGABYTE);
      await pair.host.received(MEGABYTE);
    });

    it(`datagrams to a port that is added reach the guest, and not after it is taken away, ${family}`, async () => {
      await forward('add -u 7200:7300');
      const server = await guest.open(any, 7300);
      const client = await outside().open(any);
      client.send(address, 7200, 100);
      const { from, port } = await server.message();
      server.send(from as string, port as number, 200);
      expect(await client.message()).to.include({ from: address, port: 7200, size: 200 });
      await forward('del -u 7200:7300');
      const stranger = await outside().open(any);
      stranger.send(address, 7200, 300);
      await forward('add -u 7200:7300');
      stranger.send(address, 7200, 400);
      expect((await server.message()).size).to.equal(400);
      await forward('del -u 7200:7300');
      for (const socket of [server, client, stranger]) socket.close();
    });
  }

  it('what is not concerned is not disturbed: a transfer goes on, and no connection to its port fails, while others come and go', async () => {
    const listener = await guest.listen('0.0.0.0', 7000);
    const connecting = far.connect(HOST4, 7000);
    const accepted = await listener.accept();
    const sender = await connecting;
    const transfer = sender.send(100 * MEGABYTE);
    for (let round = 0; round < 5; round++) {
      accepted.resume();
      await forward(`add -t ${7400 + round}-${7450 + round} -u ${7400 + round} -T ${7400 + round}`);
      const another = await far.connect(HOST4, 7000);
      await listener.accept();
      another.reset();
      await forward(`del -t ${7400 + round}-${7450 + round} -u ${7400 + round} -T ${7400 + round}`);
      accepted.pause();
    }
    accepted.resume();
    await transfer;
    await accepted.received(100 * MEGABYTE);
    listener.close();
  });

  it('ports that follow their services can be added and taken away', async () => {
    const listener = await guest.listen('::', 7605);
    await forward('add -t 7600-7610,auto');
    const connected = async (): Promise<boolean> => (await failure(far.connect(HOST4, 7605))) === 'no error';
    while (!(await connected()));
    expect(await failure(far.connect(HOST4, 7604))).to.contain('ECONNREFUSED');
    await forward('del -t 7600-7610,auto');
    expect(await failure(far.connect(HOST4, 7605))).to.contain('ECONNREFUSED');
    listener.close();
  });

  it('nothing changes when one port of many can not be had: those that were there serve, and none of the new ones does', async () => {
    const other = await host.listen('::', 7550);
    const words = ['forward', 'add', '-t', '7500-7599', '--path', path];
    const { code, stderr } = await run([RAVIOLI, ...words], { namespace: topology.host });
    expect(code).to.equal(2);
    expect(stderr).to.contain("can't listen on TCP port 7550");
    for (const port of [7500, 7549, 7599]) expect(await failure(far.connect(HOST4, port)), String(port)).to.contain('ECONNREFUSED');
    const pair = await inward(guest, far, HOST4, 7000);
    pair.host.reset();
    other.close();
    await forward('add -t 7500-7599');
    (await inward(guest, far, HOST4, 7550)).host.reset();
    await forward('del -t 7500-7599');
  });
});
