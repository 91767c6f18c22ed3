/** `ravioli run`, as a service manager runs it: what it is told, and what is served. */
import { chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { nameOf, tree } from '../support/processtable.ts';
import { run, type Running, start, UNPRIVILEGED } from '../support/processes.ts';
import { makeTopology, type Topology } from '../support/topology.ts';
import { runProduct } from '../support/translator.ts';

const RAVIOLI = fileURLToPath(new URL('../../bin/ravioli', import.meta.url));
const LISTENER = `import socket, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(sys.argv[1].replace('@', '\\0'))
print('listening', flush=True)
while True:
    print(manager.recv(4096).decode(), flush=True)`;

describe('ravioli run', function () {
  this.timeout(60_000);
  let topology: Topology;
  let runtime: string;
  let count = 0;
  const running: Running[] = [];

  before(() => {
    topology = makeTopology();
  });
  beforeEach(() => {
    runtime = `${topology.folder}/${count++}`;
    for (const folder of [runtime, `${runtime}/ravioli`]) {
      mkdirSync(folder, { mode: 0o700 });
      chownSync(folder, UNPRIVILEGED, UNPRIVILEGED);
    }
  });
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.stop('SIGKILL');
  });
  after(() => topology?.remove());

  function begin(words: readonly string[], env: Record<string, string> = {}): Running {
    const one = start(words, { namespace: topology.host, env: { XDG_RUNTIME_DIR: runtime, XDG_CONFIG_HOME: runtime, ...env } });
    running.push(one);
    return one;
  }

  /** Writes the network's file, and starts its service with a manager that listens. */
  async function service(name: string, text: string, env: Record<string, string> = {}): Promise<{ manager: Running; network: Running }> {
    writeFileSync(`${runtime}/ravioli/${name}.toml`, text);
    const manager = begin(['python3', '-c', LISTENER, `${runtime}/notify`]);
    await manager.waitFor(/listening/);
    return { manager, network: begin([RAVIOLI, 'run', name], { NOTIFY_SOCKET: `${runtime}/notify`, ...env }) };
  }

  it('serves a machine at the socket of the network’s name; the manager hears of readiness, of life and of the end', async () => {
    const text = 'mode = "passt"\ntcp-ports = "none"\nudp-ports = "none"\n';
    const { manager, network } = await service('box', text, { WATCHDOG_USEC: '600000' });
    await manager.waitFor(/READY=1\nSTATUS=Serving .*\/ravioli\/box\.socket\n/);
    expect(existsSync(`${runtime}/ravioli/box.socket`)).to.equal(true);
    await manager.waitFor(/WATCHDOG=1\n(.*\n)*WATCHDOG=1/);
    const { code } = await network.stop();
    expect(code).to.equal(0);
    await manager.waitFor(/STOPPING=1/);
    expect(existsSync(`${runtime}/ravioli/box.socket`)).to.equal(false);
  });

  it('tells a manager whose socket is no file', async () => {
    const name = `@ravioli-test-${process.pid}`;
    writeFileSync(`${runtime}/ravioli/box.toml`, 'mode = "passt"\n');
    const manager = begin(['python3', '-c', LISTENER, name]);
    await manager.waitFor(/listening/);
    begin([RAVIOLI, 'run', 'box'], { NOTIFY_SOCKET: name });
    await manager.waitFor(/READY=1\n/);
  });

  it('a worker that hangs is no answer for the watchdog', async () => {
    const text = 'mode = "passt"\ntcp-ports = "none"\nudp-ports = "none"\n';
    const { manager, network } = await service('box', text, { WATCHDOG_USEC: '200000' });
    await manager.waitFor(/WATCHDOG=1/);
    const worker = tree(network.pid).find((pid) => nameOf(pid) === 'passt.worker') as number;
    process.kill(worker, 'SIGSTOP');
    // What was asked before is answered; then nothing comes any more.
    const alive = (): number => manager.stdout().match(/WATCHDOG=1/g)?.length ?? 0;
    let before = -1;
    while (before !== alive()) {
      before = alive();
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
    process.kill(worker, 'SIGCONT');
    await manager.waitFor(new RegExp(`(WATCHDOG=1[^]*){${before + 1}}`));
  });

  it('listens where the file says, whatever characters that has', async () => {
    const place = `${runtime}/it's "$(here)"; x`;
    const { manager, network } = await service('box', `mode = "passt"\nsocket = '''${place}'''\ntcp-ports = "none"\nudp-ports = "none"\n`);
    await manager.waitFor(/READY=1/);
    expect(existsSync(place)).to.equal(true);
    await network.stop();
  });

  it('serves a namespace', async () => {
    const holder = begin(['unshare', '-rn', 'sh', '-c', 'echo holds; exec sleep infinity']);
    await holder.waitFor(/holds/);
    const place = `/proc/${holder.pid}/ns/net`;
    const text = `mode = "pasta"\nnetns = "${place}"\nuserns = "/proc/${holder.pid}/ns/user"\nconfig-net = true\nns-ifname = "served0"
tcp-ports = "none"\nudp-ports = "none"\ntcp-ns = "none"\nudp-ns = "none"\n`;
    const { manager } = await service('box', text);
    await manager.waitFor(new RegExp(`READY=1\nSTATUS=Serving ${place}\n`));
    const { stdout } = await run(['ip', '-br', 'link'], { namespace: holder.pid, user: 0 });
    expect(stdout).to.match(/^served0 /m);
  });

  it('tells manager and user why it can’t, by file and line', async () => {
    const { manager, network } = await service('box', 'mode = "passt"\ntcp-port = 80\n');
    const { code, stderr } = await network.finished;
    expect([code, stderr]).to.deep.equal([
      1,
      `ravioli: ${runtime}/ravioli/box.toml:2: 'tcp-port' is no key of a network of passt; write 'tcp-ports'\n`,
    ]);
    expect(manager.stdout()).to.not.match(/READY/);
  });

  it('a command is the service itself: the variables are its own, and nothing is told for it', async () => {
    const manager = begin(['python3', '-c', LISTENER, `${runtime}/notify`]);
    await manager.waitFor(/listening/);
    const env = { XDG_RUNTIME_DIR: runtime, NOTIFY_SOCKET: `${runtime}/notify` };
    const { stdout } = await runProduct(topology, [], ['sh', '-c', 'echo "$NOTIFY_SOCKET"'], { env });
    expect(stdout).to.equal(`${runtime}/notify\n`);
    expect(manager.stdout()).to.equal('listening\n');
  });
});
