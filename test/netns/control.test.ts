/** The control socket of a whole run, as an ordinary user has it: where it is, who may ask, and what is left of it. */
import { existsSync, mkdirSync, chownSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { type Finished, run, type Running, start, UNPRIVILEGED } from '../support/processes.ts';
import { makeTopology, type Topology } from '../support/topology.ts';
import { programPath, runProduct } from '../support/translator.ts';

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

  const places = (): string[] => readdirSync(`${runtime}/ravioli`);

  it('with -c is where it was asked for, serves pesto, and is gone at the end', async function () {
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
    expect(places()).to.deep.equal([`${other.pid}.sock`]);
    await other.stop('SIGKILL');
    expect(places()).to.deep.equal([`${other.pid}.sock`]);
    expect(JSON.parse((await ravioli('list --json')).stdout)).to.deep.equal([]);
    const next = await guest();
    await ravioli('list');
    expect(places()).to.deep.equal([`${next.pid}.sock`]);
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
