/** `slirp4netns` as its callers use it: a namespace that is there, descriptors for ready and exit, ports by JSON. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createConnection } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { check, type Running, run, start, UNPRIVILEGED } from '../support/processes.ts';
import { HOST4, makeTopology, TARGET4, type Topology } from '../support/topology.ts';

const SLIRP = fileURLToPath(new URL('../../bin/slirp4netns', import.meta.url));
const GUEST = '10.0.2.100';
/** Runs a command whose descriptor 7 is a new tap of the namespace that this runs in: IFF_TAP | IFF_NO_PI. */
const WITH_TAP = [
  'import fcntl, os, struct, sys',
  'tap = os.open("/dev/net/tun", os.O_RDWR)',
  'fcntl.ioctl(tap, 0x400454CA, struct.pack("16sH22x", b"tap0", int(sys.argv[1], 16)))',
  'os.dup2(tap, 7)',
  'os.execvp(sys.argv[2], sys.argv[2:])',
].join('\n');
const BYTES = 3_000_000;

describe('netns: slirp4netns', function () {
  this.timeout(30_000);
  let topology: Topology;
  let holder: Running;
  let slirp: Running;

  before(() => {
    topology = makeTopology();
  });
  after(() => topology?.remove());
  afterEach(async () => {
    await slirp?.stop('SIGKILL');
    await holder?.stop('SIGKILL');
  });

  /** A namespace of an ordinary user, and the command; both descriptors are pipes of ours. */
  async function serves(...words: string[]): Promise<void> {
    holder = start(['unshare', '-rn', 'sh', '-c', 'echo held; exec sleep 1000'], { namespace: topology.host, timeout: 60_000 });
    await holder.waitFor(/held/);
    const line = [SLIRP, '-r', '3', '-e', '4', ...words, String(holder.pid), 'tap0'];
    slirp = start(line, { namespace: topology.host, cwd: topology.folder, timeout: 60_000, extra: ['pipe', 'pipe'] });
    const ready = slirp.child.stdio[3] as Readable;
    const said = await new Promise<string>((resolve) => {
      let text = '';
      ready.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      ready.on('end', () => resolve(text));
    });
    expect(said, slirp.stderr()).to.equal('1');
  }

  const inside = (...words: string[]) => run(words, { namespace: holder.pid, user: 0 });

  /** One request and its reply; whoever sends it says that this was all, or not. */
  function ask(request: object | string, saysAll = true): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const client = createConnection(`${topology.folder}/api`);
      let text = '';
      client.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      client.on('end', () => resolve(JSON.parse(text))).on('error', reject);
      const words = typeof request === 'string' ? request : JSON.stringify(request);
      if (saysAll) client.end(words);
      else client.write(words);
    });
  }

  it('brings up what it was asked for: addresses, routes, the outside', async () => {
    await serves('--configure', '--mtu=9000');
    const link = (await inside('ip', '-brief', 'address', 'show', 'tap0')).stdout;
    expect(link).to.contain(`${GUEST}/24`);
    expect((await inside('ip', 'link', 'show', 'tap0')).stdout).to.contain('mtu 9000');
    expect((await inside('ip', 'route')).stdout).to.match(/default via 10\.0\.2\.2 dev tap0/);
    expect((await inside('ping', '-c', '1', '-W', '5', TARGET4)).code).to.equal(0);
    expect(slirp.stdout()).to.match(/\* MTU: +9000\n[^]*\* Recommended IP: +10\.0\.2\.100\n/);
  });

  it('takes a tap that is there, and leaves it to its owner to set it up (rootlesskit)', async () => {
    holder = start(
      ['unshare', '-rn', 'sh', '-c', 'ip tuntap add name tap0 mode tap && ip link set tap0 up && echo held; exec sleep 1000'],
      { namespace: topology.host, timeout: 60_000 },
    );
    await holder.waitFor(/held/);
    slirp = start([SLIRP, '--mtu', '65520', '-r', '3', '--disable-host-loopback', String(holder.pid), 'tap0'], {
      namespace: topology.host,
      timeout: 60_000,
      extra: ['pipe'],
    });
    await new Promise((resolve) => (slirp.child.stdio[3] as Readable).on('data', resolve).on('end', resolve));
    const script = `ip addr add ${GUEST}/24 dev tap0; ip link set tap0 mtu 65520; ip route add default via 10.0.2.2`;
    await check(['sh', '-ec', script], { namespace: holder.pid, user: 0 });
    const ping = await inside('ping', '-c', '1', '-W', '5', TARGET4);
    expect(ping.code, ping.stdout + slirp.stderr()).to.equal(0);
  });

  /** slirp4netns in the host's namespace, with a tap of the guest's that somebody else has made. */
  async function takesTap(flags: string, ...words: string[]): Promise<void> {
    holder = start(['unshare', '-rn', 'sh', '-c', 'echo held; exec sleep 1000'], { namespace: topology.host, timeout: 60_000 });
    await holder.waitFor(/held/);
    const user = ['setpriv', `--reuid=${UNPRIVILEGED}`, `--regid=${UNPRIVILEGED}`, '--clear-groups', '--inh-caps=-all'];
    const line = [`--net=/run/netns/${topology.host}`, ...user, SLIRP, '--netns-type=tapfd', ...words, '7'];
    const options = { namespace: holder.pid, user: 0, timeout: 60_000, extra: ['pipe' as const, 'pipe' as const] };
    slirp = start(['python3', '-c', WITH_TAP, flags, 'nsenter', ...line], options);
  }

  it('serves a tap that is handed over: TCP and UDP both ways, and ends with it (Guix)', async () => {
    await takesTap('0x1002', '--enable-sandbox', '--enable-ipv6', '--ready-fd=3', '-e', '4');
    await slirp.waitFor(/Recommended IP/);
    const script = `ip addr add ${GUEST}/24 dev tap0; ip link set tap0 up; ip route add default via 10.0.2.2`;
    await check(['sh', '-ec', script], { namespace: holder.pid, user: 0 });
    expect((await inside('ping', '-c', '1', '-W', '5', '-s', '3000', TARGET4)).code).to.equal(0);
    const sum = createHash('sha256').update(Buffer.alloc(BYTES, 'ravioli ')).digest('hex');
    const made = `yes 'ravioli ' | tr -d '\n' | head -c ${BYTES}`;
    const server = start(['sh', '-c', `${made} | socat -u - TCP-LISTEN:7001,bind=${TARGET4}`], { namespace: topology.far });
    const received = await inside(
      'sh',
      '-c',
      `until socat -u TCP:${TARGET4}:7001 - > /tmp/tapfd.$$; do sleep 0.1; done; sha256sum < /tmp/tapfd.$$; rm /tmp/tapfd.$$`,
    );
    expect(received.stdout).to.contain(sum);
    await server.finished;
    const sink = start(['sh', '-c', `socat -u TCP-LISTEN:7002,bind=${TARGET4} - | sha256sum`], { namespace: topology.far });
    await inside('sh', '-c', `until ${made} | socat -u - TCP:${TARGET4}:7002; do sleep 0.1; done`);
    expect((await sink.finished).stdout).to.contain(sum);
    const echo = start(['socat', `UDP-LISTEN:7003,bind=${TARGET4},fork`, 'EXEC:cat'], { namespace: topology.far });
    const answer = `for i in 1 2 3 4 5 6 7 8 9 10; do echo over | socat -t 1 - UDP:${TARGET4}:7003 | grep over && exit; done; exit 1`;
    expect((await inside('sh', '-c', answer)).code).to.equal(0);
    await echo.stop();
    await inside('ip', 'link', 'del', 'tap0');
    expect((await slirp.finished).code).to.equal(0);
  });

  it('tells of a device that it can not serve', async () => {
    await takesTap('0x5002');
    expect(await slirp.finished).to.include({ code: 1 });
    expect(slirp.stderr()).to.equal(
      'slirp4netns: descriptor 7 is a device with flags 0x5002; give a tap that was made with IFF_TAP | IFF_NO_PI alone\n',
    );
  });

  it('ends when the other end of --exit-fd does, and leaves nothing', async () => {
    await serves('-c', '--api-socket', 'api');
    expect(existsSync(`${topology.folder}/api`)).to.equal(true);
    (slirp.child.stdio[4] as Writable).destroy();
    expect((await slirp.finished).code).to.equal(0);
    expect(existsSync(`${topology.folder}/api`)).to.equal(false);
    expect((await inside('ip', 'link', 'show', 'tap0')).code).to.not.equal(0);
  });

  it('forwards ports by JSON, lists them, and takes them back', async () => {
    await serves('-c', '--api-socket', 'api');
    const port = { proto: 'tcp', host_addr: '0.0.0.0', host_port: 8085, guest_addr: GUEST, guest_port: 85 };
    expect(await ask({ execute: 'add_hostfwd', arguments: port })).to.deep.equal({ return: { id: 1 } });
    // Podman says so of what it leaves out.
    const other = { proto: 'udp', host_addr: '', host_port: 8086, guest_addr: '', guest_port: 86 };
    expect(await ask({ execute: 'add_hostfwd', arguments: other }, false)).to.deep.equal({ return: { id: 2 } });
    expect(await ask({ execute: 'list_hostfwd' })).to.deep.equal({
      entries: [
        { id: 1, ...port },
        { id: 2, ...other, host_addr: '0.0.0.0', guest_addr: GUEST },
      ],
    });
    const server = start(['socat', '-u', `TCP-LISTEN:85,bind=${GUEST}`, '-'], { namespace: holder.pid, user: 0 });
    await server.waitFor(/^/);
    const talk = `for i in 1 2 3 4 5 6 7 8 9 10; do echo hello | socat -u - TCP:${HOST4}:8085 && exit; sleep 0.2; done`;
    await check(['sh', '-c', talk], { namespace: topology.far });
    await server.waitFor(/hello/);
    await server.stop();
    expect(await ask({ execute: 'remove_hostfwd', arguments: { id: 1 } })).to.deep.equal({ return: {} });
    const refused = await run(['socat', '-u', '/dev/null', `TCP:${HOST4}:8085`], { namespace: topology.far });
    expect(refused.stderr).to.contain('Connection refused');
  });

  it('answers what can not be by its fault, and changes nothing', async () => {
    await serves('-c', '--api-socket', 'api');
    for (const [request, complaint] of [
      ['nothing', 'the request must be an object in JSON'],
      [{ execute: 'fly' }, 'execute: "fly" is none of add_hostfwd, list_hostfwd, remove_hostfwd'],
      [{ execute: 'remove_hostfwd', arguments: { id: 7 } }, 'remove_hostfwd: id 7 is unknown; list_hostfwd has them'],
      [{ execute: 'add_hostfwd', arguments: { proto: 'sctp' } }, 'add_hostfwd: proto "sctp" must be "tcp" or "udp"'],
      [
        { execute: 'add_hostfwd', arguments: { proto: 'tcp', host_addr: '::1', host_port: 1, guest_port: 1 } },
        'add_hostfwd: host_addr "::1" must be an IPv4 address',
      ],
      [
        { execute: 'add_hostfwd', arguments: { proto: 'tcp', host_port: 70_000, guest_port: 1 } },
        'add_hostfwd: host_port 70000 must be a number from 1 to 65535',
      ],
    ] as const)
      expect(await ask(request)).to.deep.equal({ error: { desc: `bad request: ${complaint}` } });
    const taker = start(['socat', `TCP-LISTEN:8087,bind=${HOST4},fork`, 'SYSTEM:true'], { namespace: topology.host });
    await check(['sh', '-c', `until ss -Hltn | grep -q :8087; do sleep 0.05; done`], { namespace: topology.host });
    const taken = { execute: 'add_hostfwd', arguments: { proto: 'tcp', host_port: 8087, guest_port: 1 } };
    expect(JSON.stringify(await ask(taken))).to.match(/add_hostfwd: .*8087.*address already in use/);
    await taker.stop();
    expect(await ask({ execute: 'list_hostfwd' })).to.deep.equal({ entries: [] });
  });

  it('refuses descriptors that are not there, in one line', async () => {
    const end = await run([SLIRP, '-r', '77', '1'], { namespace: topology.host });
    expect([end.code, end.stderr]).to.deep.equal([1, "slirp4netns: --ready-fd '77': is not open; give a descriptor that is\n"]);
  });
});
