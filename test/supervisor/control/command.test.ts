/** The command `ravioli forward` against a server: what it prints, and its exit status. */
import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeGreeting } from '../../../supervisor/control/codec.ts';
import { EMPTY_TABLE } from '../../../supervisor/forwarding/table.ts';
import { ALL, ControlBench } from './control_bench.ts';

const RAVIOLI = fileURLToPath(new URL('../../../bin/ravioli', import.meta.url));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function forward(words: string): Promise<Ended> {
  const child = spawn(RAVIOLI, ['forward', ...words.split(' ')], { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH } });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, stdout, stderr };
}

describe('ravioli forward', function () {
  this.timeout(30_000);
  let bench: ControlBench;

  beforeEach(() => {
    bench = new ControlBench();
  });

  afterEach(() => bench.close());

  it('adds, shows and takes away, and says nothing when it is done', async () => {
    expect(await forward(`add -t 8080:80 -T 9000 --path ${bench.path}`)).to.deep.equal({ code: 0, stdout: '', stderr: '' });
    expect(bench.shown()).to.deep.equal(['TCP [*]:8080 => 80', 'TCP [*]%lo:9000 => 9000']);
    const { code, stdout } = await forward(`list --path ${bench.path}`);
    expect(code).to.equal(0);
    expect(stdout).to.match(/TCP +host \*:8080 +guest port 80\n.*TCP +guest \*%lo:9000 +host port 9000/);
    const json = await forward(`del -t 8080:80 --json --path ${bench.path}`);
    expect(json.code).to.equal(0);
    expect(JSON.parse(json.stdout)[0].rules.map(({ first }: { first: number }) => first)).to.deep.equal([9000]);
    expect(bench.shown()).to.deep.equal(['TCP [*]%lo:9000 => 9000']);
  });

  it('many at once: none is lost', async () => {
    const ports = Array.from({ length: 8 }, (_, index) => 1000 + index);
    await Promise.all(ports.map((port) => forward(`add -t ${port} --path ${bench.path}`)));
    expect(bench.table.host.map(({ first }) => first).sort()).to.deep.equal(ports);
  });

  it('ends with 2 and the reason when the run refuses', async () => {
    bench.refuse = async () => 'TCP [*]:80 => 80: permission denied';
    expect(await forward(`add -t 80 --path ${bench.path}`)).to.deep.equal({
      code: 2,
      stdout: '',
      stderr: 'ravioli: the run has refused, nothing has changed: TCP [*]:80 => 80: permission denied\n',
    });
  });

  it('ends with 1 and one line when it can not be', async () => {
    writeFileSync(join(bench.folder, 'file'), '');
    for (const [words, complaint] of [
      [`add -t 0 --path ${bench.path}`, "--tcp-ports '0': port 0 can not be forwarded; ports are 1 to 65535"],
      [
        `del -t 80 --path ${bench.path}`,
        "--tcp-ports '80': there is no rule TCP [*]:80 => 80; 'ravioli forward list' shows those that there are",
      ],
      [`list --path ${bench.path}x`, `'${bench.path}x': there is no such file; give the path that a run has got with --conf-path`],
      [`list --path ${bench.folder}/file`, `'${bench.folder}/file': nobody listens there; give the path of a run that is alive`],
      ['list --pid 4194304', 'process 4194304 has no control socket that is known here; give --path'],
    ] as const)
      expect(await forward(words), words).to.deep.equal({ code: 1, stdout: '', stderr: `ravioli: ${complaint}\n` });
    expect(bench.lines.filter((line) => line.startsWith('warning'))).to.deep.equal([]);
  });

  it('is told when it may not ask', async () => {
    bench.isRefused = () => true;
    const { code, stderr } = await forward(`list --path ${bench.path}`);
    expect(code).to.equal(1);
    expect(stderr).to.contain('it has sent us away; only its own user and root may ask, and not from within the guest');
    expect(await bench.logged(/warning/)).to.match(
      /process \d+ may not use the control socket: it is in the guest's network, or can't be seen/,
    );
  });

  it('understands a server of another make, which says nothing at the end, and refuses what is none', async () => {
    const path = join(bench.folder, 'other');
    let greeting = encodeGreeting(EMPTY_TABLE, ALL);
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write(greeting);
      socket.once('data', () => socket.destroy());
    }).listen(path);
    await once(server, 'listening');
    expect(await forward(`add -t 80 --path ${path}`)).to.deep.equal({ code: 0, stdout: '', stderr: '' });
    greeting = new Uint8Array(100);
    const { code, stderr } = await forward(`list --path ${path}`);
    expect({ code, stderr }).to.deep.equal({ code: 1, stderr: `ravioli: '${path}': this is not the control socket of a translator\n` });
    server.close();
  });
});
