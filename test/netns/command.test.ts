/** A command in a namespace of its own: status, signals, streams, words and environment. */
import { createHash, randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Native } from '../../native/supervisor.d.ts';
import { nameOf, tree } from '../support/processtable.ts';
import { run, start, UNPRIVILEGED } from '../support/processes.ts';
import { IDLER, startProduct } from '../support/product.ts';
import { PRODUCT } from '../support/translator.ts';

const native = createRequire(import.meta.url)(fileURLToPath(new URL('../../native/out/supervisor.node', import.meta.url))) as Native;
const SIGUSR1 = 10;
/** What a command that handles the signal gets (supervisor/lifecycle.ts). */
const PARTING_MS = 2_000;

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('netns: command', function () {
  this.timeout(30_000);

  for (const code of [0, 1, 7, 127, 255]) {
    it(`exits with the command's status ${code}`, async () => {
      const result = await run([PRODUCT, '--config-net', '--', 'sh', '-c', `exit ${code}`]);
      expect(result).to.include({ code, stdout: '', stderr: '' });
    });
  }

  for (const [signal, code] of [
    ['TERM', 143],
    ['KILL', 137],
    ['SEGV', 139],
  ] as const) {
    it(`exits with ${code} when SIG${signal} ended the command`, async () => {
      const result = await run([PRODUCT, '--no-pidns', '--config-net', '--', 'sh', '-c', `kill -${signal} $$`]);
      expect(result).to.include({ code, stderr: '' });
    });
  }

  it('is root there and nobody outside, in a process namespace of its own', async () => {
    const result = await run([
      PRODUCT,
      '--config-net',
      '--',
      'sh',
      '-c',
      'id -u; echo $$; cat /proc/self/uid_map; ls -d /proc/[0-9]* | wc -l',
    ]);
    const [uid, pid, map, processes] = result.stdout.trim().split('\n');
    expect([uid, pid]).to.deep.equal(['0', '1']);
    expect(map?.trim().split(/\s+/)).to.deep.equal(['0', String(UNPRIVILEGED), '1']);
    expect(Number(processes)).to.be.lessThan(8);
  });

  it('makes no user namespace with --netns-only, where the caller may make the others, and mounts nothing outside', async () => {
    const script = 'id -u; echo $$; readlink /proc/self/ns/user; ip -brief address show up | grep -c UNKNOWN';
    const line = [PRODUCT, '--netns-only', '--config-net', '--', 'sh', '-c', script];
    const around = [
      'unshare',
      '-rm',
      '--propagation',
      'shared',
      'sh',
      '-c',
      'readlink /proc/self/ns/user; mount | wc -l; "$@"; mount | wc -l',
      'sh',
    ];
    const result = await run([...around, ...line]);
    const [user, mounts, ...inside] = result.stdout.trim().split('\n');
    expect(inside, result.stderr).to.deep.equal(['0', '1', user, '2', mounts]);
    const refused = await run(line);
    expect(refused).to.include({ code: 1, stdout: '' });
    expect(refused.stderr).to.match(/^pasta: cannot create the namespaces: .*'unshare -r', or --runas 0\) \(operation not permitted\)\n$/);
  });

  it('has its network when the command begins', async () => {
    const result = await run([PRODUCT, '--config-net', '--', 'ip', '-brief', 'address', 'show', 'up']);
    expect(result.stdout)
      .to.match(/^lo /m)
      .and.to.match(/^\S+ +UNKNOWN +\d+\.\d+\.\d+\.\d+\/\d+/m);
  });

  it('says what is wrong with a command that does not exist, and exits with 1', async () => {
    const result = await run([PRODUCT, '--config-net', '--', '/nonexistent/program']);
    expect(result.code).to.equal(1);
    expect(result.stderr).to.match(/^pasta: .*'\/nonexistent\/program'.*\n$/);
  });

  it('says what is wrong with a limit on open files that leaves none for flows, and runs with little more', async () => {
    const words = [PRODUCT, '--config-net', '--', 'true'];
    const refused = await run(words, { descriptors: 64 });
    expect(refused).to.include({ code: 1, stdout: '' });
    expect(refused.stderr).to.match(/^pasta: the limit on open files is 64, .*ulimit -Hn[^\n]*\n$/);
    expect(await run(words, { descriptors: 256 })).to.include({ code: 0, stderr: '' });
  });

  it('passes 50 MB through a pipe each way, unchanged', async () => {
    const bytes = randomBytes(50_000_000);
    const running = start([PRODUCT, '--config-net', '--', 'cat']);
    const hash = createHash('sha256');
    let length = 0;
    running.child.stdout
      ?.removeAllListeners('data')
      .setEncoding('latin1')
      .on('data', (text: string) => {
        hash.update(text, 'latin1');
        length += text.length;
      });
    running.child.stdin?.end(bytes);
    expect((await running.finished).code).to.equal(0);
    expect(length).to.equal(bytes.length);
    expect(hash.digest('hex')).to.equal(sha(bytes));
  });

  it('leaves stderr apart from stdout', async () => {
    const result = await run([PRODUCT, '--config-net', '--', 'sh', '-c', 'echo out; echo err >&2']);
    expect(result).to.include({ stdout: 'out\n', stderr: 'err\n' });
  });

  it('gives the command no descriptor but the three', async () => {
    const result = await run([PRODUCT, '--config-net', '--', 'ls', '/proc/self/fd'], { extra: ['pipe', 'ignore'] });
    expect(result.stdout.trim().split('\n')).to.deep.equal(['0', '1', '2', '3']); // 3 is what ls itself opened
  });

  it('gives the command the words as they are', async () => {
    const words = ['', '--', '-x', 'a b', 'ä€', '$HOME', '\n'];
    const result = await run([PRODUCT, '--config-net', '--', 'printf', '[%s]', ...words]);
    expect(result.stdout).to.equal(words.map((word) => `[${word}]`).join(''));
  });

  it('gives the command words and variables that are no UTF-8, byte for byte', async () => {
    const script = `X=$(printf 'X=\\377') exec env "$(printf 'Y=\\376')" "$0" --config-net -- sh -c 'printf %s "$1$X$Y" | od -An -tx1' sh "$(printf '\\375')"`;
    const result = await run(['sh', '-c', script, PRODUCT]);
    expect(result.stdout.trim()).to.equal('fd 58 3d ff fe');
  });

  it('is not changed by variables meant for the runtime, and hands them to the command', async () => {
    const env = {
      NODE_OPTIONS: '--require=/nonexistent.js',
      NODE_EXTRA_CA_CERTS: '/nonexistent',
      LD_LIBRARY_PATH: '/nonexistent',
      PLAIN: 'x',
    };
    const result = await run([PRODUCT, '--config-net', '--', 'env'], { env });
    expect(result).to.include({ code: 0, stderr: '' });
    const lines = result.stdout.split('\n');
    for (const [name, value] of Object.entries(env)) {
      expect(lines).to.include(`${name}=${value}`);
    }
    expect(result.stdout).not.to.contain('RAVIOLI');
  });

  describe('a start that needs no worker, or another one', () => {
    // A parent that is told of orphans: whatever a run leaves behind becomes its child, and is counted.
    const COUNT = `import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1)
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
orphans = 0
while True:
    try: os.wait(); orphans += 1
    except ChildProcessError: break
print(done, orphans)`;
    for (const [words, code] of [
      [['--help'], 0],
      [['--version'], 0],
      [['-dh'], 0],
      [['--no-such-option'], 1],
      [['--config-net', '--', '/nonexistent'], 1],
      [['--config-net', '--', 'true'], 0],
      [['--isolation=strict', '--config-net', '--', 'true'], 0],
      [['--iso', 'strict', '--config-net', '--', 'true'], 0],
    ] as const) {
      it(`leaves no orphan: ${words.join(' ')}`, async () => {
        const result = await run(['python3', '-c', COUNT, PRODUCT, ...words]);
        expect(result.stdout).to.equal(`${code} 0\n`);
      });
    }
  });

  it('shows the rooms under their names', async () => {
    const running = await startProduct('echo ready; read line');
    expect(nameOf(running.pid)).to.equal('pasta');
    const names = tree(running.pid).map(nameOf).sort();
    expect(names).to.deep.equal(['pasta', 'pasta.jail', 'pasta.opener', 'pasta.opener', 'pasta.worker', 'sh']);
    running.child.stdin?.end();
    await running.finished;
  });

  describe('signals', () => {
    for (const signal of ['SIGTERM', 'SIGQUIT'] as const) {
      it(`${signal} ends all with status 0, at once for a command that does not handle it`, async () => {
        const running = await startProduct('echo ready; exec sleep 1000');
        const began = Date.now();
        process.kill(running.pid, signal);
        expect((await running.finished).code).to.equal(0);
        expect(Date.now() - began, 'no time given to the command').to.be.lessThan(PARTING_MS);
      });
    }

    it('SIGTERM gives a command that handles it the time to do so', async () => {
      const running = await startProduct('trap "echo parting; exit 5" TERM; echo ready; while :; do sleep 0.05; done');
      process.kill(running.pid, 'SIGTERM');
      const result = await running.finished;
      expect(result.code).to.equal(0);
      expect(result.stdout).to.equal('ready\nparting\n');
    });

    it('SIGINT is the command’s when it handles it, and ends one that does not', async () => {
      const handling = await startProduct('trap "echo interrupted" INT; echo ready; while :; do sleep 0.05; done');
      process.kill(handling.pid, 'SIGINT');
      await handling.waitFor(/interrupted/);
      await handling.stop('SIGKILL');
      const plain = start([PRODUCT, '--config-net', '--', ...IDLER]);
      await plain.waitFor(/^ready$/m);
      process.kill(plain.pid, 'SIGINT');
      expect((await plain.finished).code).to.equal(130);
    });

    it('SIGUSR2 shows the counters', async () => {
      const running = await startProduct('echo ready; exec sleep 1000');
      process.kill(running.pid, 'SIGUSR2');
      await running.waitFor(/^pasta: flows +\d+$/m);
      await running.stop();
    });

    it('SIGUSR1 opens no debugger, in the supervisor or in the worker', async () => {
      const running = await startProduct('echo ready; exec sleep 1000');
      native.kill(running.named('pasta.worker')[0] as number, SIGUSR1);
      process.kill(running.pid, 'SIGUSR1');
      process.kill(running.pid, 'SIGUSR2');
      await running.waitFor(/^pasta: flows +\d+$/m); // both are alive and have had their turn
      expect(readFileSync('/proc/net/tcp', 'latin1')).not.to.contain('0100007F:240D 00000000:0000 0A'); // 127.0.0.1:9229
      await running.stop();
      expect(running.stderr()).not.to.match(/debugger/i);
    });
  });
});
