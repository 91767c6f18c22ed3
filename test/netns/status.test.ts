/** `ravioli status` and `ravioli flows` of whole runs, as an ordinary user asks them. */
import { chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { ShownFlow } from '../../supervisor/control/flow-listing.ts';
import type { ShownRun } from '../../supervisor/control/status-command.ts';
import { type Finished, run, type Running, start, UNPRIVILEGED } from '../support/processes.ts';
import { GATEWAY4, HOST4, makeTopology, TARGET4, type Topology } from '../support/topology.ts';
import { programPath } from '../support/translator.ts';

const RAVIOLI = fileURLToPath(new URL('../../bin/ravioli', import.meta.url));
const NO_PORTS = ['-u', 'none', '-T', 'none', '-U', 'none'];
/** What a program in the guest hears that asks its own run. */
const ASK = `import glob, os, socket
[path] = glob.glob(os.environ['XDG_RUNTIME_DIR'] + '/ravioli/*.status')
asker = socket.socket(socket.AF_UNIX)
asker.connect(path)
try:
    asker.sendall(b'status\\n')
    print('inside:', asker.recv(1000).decode() or 'sent away', flush=True)
except (BrokenPipeError, ConnectionResetError):
    print('inside: sent away', flush=True)`;
/** Connects from the guest, says it and stays; asks when it is told to. */
const TALK = `exec 3<>/dev/tcp/${TARGET4}/8080; echo -n hello >&3; read -r -n 3 answer <&3; echo guest-ready
  read -r line; python3 -c "$0"; read -r line`;
const SERVER = `import socket
listener = socket.create_server(('${TARGET4}', 8080))
print('listening', flush=True)
client = listener.accept()[0]
client.recv(5, socket.MSG_WAITALL)
client.sendall(b'bye')
client.recv(1)`;

describe('status and flows of a run', function () {
  this.timeout(60_000);
  let topology: Topology;
  let runtime: string;
  let running: Running;
  let server: Running;

  before(async () => {
    topology = makeTopology();
    runtime = `${topology.folder}/runtime`;
    mkdirSync(runtime, { mode: 0o700 });
    chownSync(runtime, UNPRIVILEGED, UNPRIVILEGED);
    server = start(['python3', '-c', SERVER], { namespace: topology.far });
    await server.waitFor(/listening/);
    const command = ['--config-net', '-t', '8123:80', ...NO_PORTS, '--', 'bash', '-c', TALK, ASK];
    running = start([programPath('ravioli'), ...command], { namespace: topology.host, env: { XDG_RUNTIME_DIR: runtime } });
    await running.waitFor(/guest-ready/);
  });

  after(async () => {
    await running?.stop('SIGKILL');
    await server?.stop();
    topology?.remove();
  });

  function ravioli(...words: string[]): Promise<Finished> {
    return run([RAVIOLI, ...words], { namespace: topology.host, env: { XDG_RUNTIME_DIR: runtime } });
  }

  async function json<Shown>(word: string): Promise<Shown> {
    const { code, stdout, stderr } = await ravioli(word, '--json');
    expect([code, stderr]).to.deep.equal([0, '']);
    return JSON.parse(stdout) as Shown;
  }

  it('status tells who is served, under which addresses, and what has moved', async () => {
    const [shown, another] = await json<ShownRun[]>('status');
    expect(another).to.equal(undefined);
    expect(shown).to.deep.include({ pid: running.pid, mode: 'pasta', control: null, flows: 1 });
    expect(shown?.guest).to.deep.include({ socket: null, mtu: 65_520 });
    expect(shown?.guest.ipv4).to.deep.include({ address: `${HOST4}/24`, gateway: GATEWAY4 });
    expect(shown?.forwards.map(({ protocol, first, targetFirst }) => [protocol, first, targetFirst])).to.deep.equal([['tcp', 8123, 80]]);
    expect(shown?.counters['tcp_flows_opened']).to.equal(1);
    const { stdout } = await ravioli('status', String(running.pid));
    expect(stdout)
      .to.match(new RegExp(`^pasta \\S+, process ${running.pid}, for `))
      .and.include('tcp host *:8123 to guest 80');
  });

  it('flows tells each connection with both its ends and its bytes', async () => {
    const [shown] = await json<{ pid: number; flows: ShownFlow[] }[]>('flows');
    expect(shown?.pid).to.equal(running.pid);
    const [flow, another] = shown?.flows ?? [];
    expect(another).to.equal(undefined);
    expect(flow).to.deep.include({ protocol: 'tcp', state: 'ESTABLISHED', spliced: false, far: { address: TARGET4, port: 8080 } });
    expect([flow?.guest?.address, flow?.host?.address]).to.deep.equal([HOST4, HOST4]);
    expect(flow?.toGuest).to.equal(3);
    // The kernel counts the SYN as well.
    expect(flow?.fromGuest).to.be.within(5, 6);
    const { stdout } = await ravioli('flows');
    expect(stdout.split('\n')[1]).to.match(new RegExp(`^tcp +ESTABLISHED +${HOST4}:\\d+ +${TARGET4}:8080 +${HOST4}:\\d+ `));
  });

  it('the guest may not ask', async () => {
    running.child.stdin?.write('ask\n');
    const [, answer] = await running.waitFor(/inside: (.*)$/m);
    expect(answer).to.equal('sent away');
  });

  it('root’s run is found though it goes on as somebody else, and root’s next one removes what that can not', async () => {
    const folder = `${topology.folder}/root`;
    mkdirSync(folder, { mode: 0o700 });
    const given = { namespace: topology.host, user: 0, env: { XDG_RUNTIME_DIR: folder } };
    for (let turn = 0; turn < 2; turn++) {
      const command = ['--config-net', '-t', 'none', ...NO_PORTS, '--', 'sh', '-c', 'echo guest-ready; exec sleep infinity'];
      const root = start([programPath('ravioli'), ...command], given);
      try {
        await root.waitFor(/guest-ready/);
        const { stdout, stderr } = await run([RAVIOLI, 'status', '--json'], given);
        expect(
          (JSON.parse(stdout || '[]') as ShownRun[]).map(({ pid }) => pid),
          stderr,
        ).to.deep.equal([root.pid]);
        expect((await run([RAVIOLI, 'forward', 'list', '--json'], given)).code).to.equal(0);
        expect(readdirSync(`${folder}/ravioli`).sort()).to.deep.equal([`${root.pid}.sock`, `${root.pid}.status`]);
      } finally {
        await root.stop();
      }
    }
  });

  it('says in one line that nobody is there, and leaves no socket', async () => {
    const nobody = await ravioli('status', String(process.pid));
    expect([nobody.code, nobody.stderr]).to.deep.equal([
      1,
      `ravioli: process ${process.pid} is no run of this user; 'ravioli status' shows those that are\n`,
    ]);
    await running.stop();
    expect(existsSync(`${runtime}/ravioli`) ? readdirSync(`${runtime}/ravioli`) : []).to.deep.equal([]);
    expect((await ravioli('flows')).stderr).to.equal('ravioli: no run of this user is found\n');
  });
});
