/** The control socket: one client after the other, whatever each does. */
import { expect } from 'chai';
import { chmodSync, existsSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { decodeGreeting, decodeVerdict, encodeAnswer, type ShownTable } from '../../../supervisor/control/codec.ts';
import { listenAt } from '../../../supervisor/control/path.ts';
import { CLIENT_MS } from '../../../supervisor/control/reception.ts';
import { type ForwardingRule, describeRule } from '../../../supervisor/forwarding/rule.ts';
import { native, NOBODY } from '../../native/rooms.ts';
import { ALL, type Client, ControlBench } from './control_bench.ts';

function rule(port: number, change: Partial<ForwardingRule> = {}): ForwardingRule {
  const ports = { first: port, last: port, targetFirst: port };
  const rest = { address: null, interfaceName: null, target: null, weak: false, scan: false };
  return { protocol: 'tcp', side: 'host', ...ports, ...rest, ...change };
}

function answer(...host: ForwardingRule[]): Uint8Array {
  return encodeAnswer([
    { id: 1, rules: host },
    { id: 3, rules: [] },
  ]);
}

function hostPorts(tables: readonly ShownTable[]): string[] {
  return (tables[0]?.rules ?? []).map(describeRule);
}

/** Sends an answer after the greeting; the server's last word. */
async function change(client: Client, bytes: Uint8Array): Promise<string | null | undefined> {
  const before = await client.greeted(measure);
  client.socket.write(bytes);
  return decodeVerdict((await client.all).subarray(before));
}

/** The length of a complete greeting. */
function measure(bytes: Uint8Array): { result: number } | { needs: number } {
  const decoded = decodeGreeting(bytes);
  return 'result' in decoded ? { result: bytes.length } : decoded;
}

describe('supervisor/control/server', function () {
  this.timeout(30_000);
  let bench: ControlBench;

  afterEach(() => bench.close());

  it('shows the rules, takes others, and shows those to the next', async () => {
    bench = new ControlBench();
    bench.table = { host: [rule(1000)], guest: [] };
    const first = bench.connect();
    expect(hostPorts(await first.greeted(decodeGreeting))).to.deep.equal(['TCP [*]:1000 => 1000']);
    expect(await change(first, answer(rule(2000), rule(3000, { protocol: 'udp' })))).to.equal(null);
    expect(bench.shown()).to.deep.equal(['TCP [*]:2000 => 2000', 'UDP [*]:3000 => 3000']);
    expect(hostPorts(await bench.connect().greeted(decodeGreeting))).to.deep.equal(bench.shown());
    expect(bench.lines[0]).to.equal(`info: Accepted configuration client, PID ${process.pid}`);
    expect(bench.lines).to.include.members([
      'info: New forwarding rules for HOST:',
      'info:     TCP [*]:2000 => 2000',
      'info: New forwarding rules for SPLICE:',
    ]);
  });

  it('one that only looks changes nothing and is no trouble', async () => {
    bench = new ControlBench();
    bench.table = { host: [rule(1000)], guest: [] };
    const client = bench.connect();
    await client.greeted(decodeGreeting);
    client.socket.destroy();
    expect(hostPorts(await bench.connect().greeted(decodeGreeting))).to.deep.equal(bench.shown());
    expect(bench.lines.filter((line) => line.startsWith('warning'))).to.deep.equal([]);
  });

  it('takes an answer in single bytes', async () => {
    bench = new ControlBench();
    const client = bench.connect();
    await client.greeted(decodeGreeting);
    for (const byte of answer(rule(1000), rule(1001))) {
      await new Promise((resolve) => client.socket.write(Uint8Array.of(byte), resolve));
    }
    await client.all;
    expect(bench.shown()).to.have.length(2);
  });

  it('the second waits until the rules of the first are in force', async () => {
    bench = new ControlBench();
    let permit: (refusal: null) => void = () => {};
    bench.refuse = () =>
      new Promise((resolve) => {
        permit = resolve;
      });
    const first = bench.connect();
    const second = bench.connect();
    await first.greeted(decodeGreeting);
    const done = change(first, answer(rule(1000)));
    await new Promise<void>((resolve) => {
      const refuse = bench.refuse;
      bench.refuse = (table) => {
        resolve();
        return refuse(table);
      };
    });
    expect(second.socket.bytesRead).to.equal(0);
    permit(null);
    expect(await done).to.equal(null);
    expect(hostPorts(await second.greeted(decodeGreeting))).to.deep.equal(['TCP [*]:1000 => 1000']);
  });

  it('many at once each add a rule, and none is lost', async () => {
    bench = new ControlBench();
    await Promise.all(
      Array.from({ length: 30 }, async (_, index) => {
        const client = bench.connect();
        const before = (await client.greeted(decodeGreeting))[0]?.rules ?? [];
        expect(await change(client, answer(...before, rule(1000 + index)))).to.equal(null);
      }),
    );
    expect(new Set(bench.shown()).size).to.equal(30);
  });

  it('silent clients are sent away, and the next one served', async () => {
    bench = new ControlBench();
    bench.patience = 1;
    const silent = bench.connect();
    await silent.all;
    const half = bench.connect();
    half.socket.write(answer(rule(1)).subarray(0, 20));
    await half.all;
    bench.patience = CLIENT_MS;
    expect(await change(bench.connect(), answer(rule(1000)))).to.equal(null);
    expect(bench.lines.filter((line) => /not sent its rules in time/.test(line))).to.have.length(2);
    expect(bench.shown()).to.deep.equal(['TCP [*]:1000 => 1000']);
  });

  it('leaves clients alone for a while when there is no descriptor for them, and says so once', async () => {
    bench = new ControlBench();
    bench.accepts.push(-24);
    const client = bench.connect();
    expect(await bench.logged(/warning/)).to.contain(
      "a client of the control socket can't be accepted (errno 24); it is tried again every 1 s",
    );
    expect(await change(client, answer(rule(1000)))).to.equal(null);
    expect(bench.lines.filter((line) => line.startsWith('warning'))).to.have.length(1);
  });

  it('one that goes away in the middle changes nothing', async () => {
    bench = new ControlBench();
    const client = bench.connect();
    client.socket.end(answer(rule(1000)).subarray(0, 20));
    await client.all;
    expect(await bench.logged(/warning/)).to.match(/process \d+, has changed nothing: it went away in the middle of its rules/);
    expect(bench.shown()).to.deep.equal([]);
  });

  for (const [what, bytes, why] of [
    ['what is not the protocol', Uint8Array.of(9), 'there is no table 9'],
    ['more than there can be', new Uint8Array(40_000).fill(1), 'rules are too many'],
    ['a rule that can not be', answer(rule(1000, { last: 999 })), '1000-999 is no range of ports; give the lower one first, 65535 at most'],
    [
      'rules that conflict',
      answer(rule(1000), rule(999, { last: 1001 })),
      'conflicts with TCP [*]:1000 => 1000, which forwards port 1000 as well; leave one out',
    ],
  ] as const)
    it(`refuses ${what}, says why, and changes nothing`, async () => {
      bench = new ControlBench();
      bench.table = { host: [rule(80)], guest: [] };
      expect(await change(bench.connect(), bytes)).to.contain(why);
      expect(await bench.logged(/warning/)).to.contain(why);
      expect(bench.shown()).to.deep.equal(['TCP [*]:80 => 80']);
    });

  it('passes on why a table was not taken, or could not be', async () => {
    bench = new ControlBench();
    bench.refuse = async () => 'TCP [*]:80 => 80: permission denied';
    expect(await change(bench.connect(), answer(rule(80)))).to.equal('TCP [*]:80 => 80: permission denied');
    bench.refuse = () => Promise.reject(new Error('the opener is gone'));
    expect(await change(bench.connect(), answer(rule(80)))).to.equal('the opener is gone');
  });

  it('refuses what is switched off, and makes of both families the one that there is', async () => {
    bench = new ControlBench();
    bench.enabled = { ...ALL, ipv6: false, udp: false };
    expect(await change(bench.connect(), answer(rule(80, { protocol: 'udp' })))).to.contain('--no-udp');
    expect(await change(bench.connect(), answer(rule(80, { address: new Uint8Array(16) })))).to.contain('IPv6 is switched off');
    expect(await change(bench.connect(), answer(rule(80)))).to.equal(null);
    expect(bench.shown()).to.deep.equal(['TCP [0.0.0.0]:80 => 80']);
  });

  it('serves nobody but its own user and root, even where the file permits it', async function () {
    // Only root may give a client another user.
    if (process.geteuid?.() !== 0) this.skip();
    bench = new ControlBench();
    chmodSync(bench.folder, 0o755);
    chmodSync(bench.path, 0o666);
    process.seteuid?.(NOBODY);
    const stranger = bench.connect();
    process.seteuid?.(0);
    expect(await stranger.all).to.have.length(0);
    expect(await bench.logged(/warning/)).to.match(/user 65534 \(process \d+\) may not use the control socket: it is for user 0 and root/);
    await bench.connect().greeted(decodeGreeting);
  });
});

describe('supervisor/control, its file', () => {
  let bench: ControlBench;

  afterEach(() => bench.close());

  it('is its owner’s alone from the beginning, and is gone at the end', () => {
    const before = process.umask(0);
    bench = new ControlBench();
    process.umask(before);
    expect(statSync(bench.path).mode & 0o777).to.equal(0o600);
    bench.server.close();
    bench.server.close();
    expect(existsSync(bench.path)).to.equal(false);
  });

  it('stays when it is somebody else’s by then', () => {
    bench = new ControlBench();
    renameSync(bench.path, `${bench.path}.away`);
    writeFileSync(bench.path, 'mine');
    bench.server.close();
    expect(existsSync(bench.path)).to.equal(true);
  });

  it('takes the place of a socket at which nobody listens', () => {
    bench = new ControlBench();
    const path = join(bench.folder, 'stale');
    native.close(listenAt(native, path));
    expect(existsSync(path)).to.equal(true);
    native.close(listenAt(native, path));
  });

  it('takes the place of nothing else, and says what to do', async () => {
    bench = new ControlBench();
    expect(() => listenAt(native, bench.path)).to.throw(`'${bench.path}': another process listens there; choose another path`);
    const other = createServer().listen(join(bench.folder, 'other'));
    await once(other, 'listening');
    expect(() => listenAt(native, join(bench.folder, 'other'))).to.throw('another process listens there');
    other.close();
    const file = join(bench.folder, 'file');
    writeFileSync(file, 'precious');
    expect(() => listenAt(native, file)).to.throw('there is another file; choose another path, or remove it');
    expect(existsSync(file)).to.equal(true);
    expect(() => listenAt(native, join(bench.folder, 'none/socket'))).to.throw(`there is no folder '${bench.folder}/none'`);
  });
});
