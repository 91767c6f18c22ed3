/** The host's log: what is sent to it, and that nothing waits for it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { LogLevel } from '../../shared/messages.ts';
import { SystemLog } from '../../supervisor/system-log.ts';
import { native } from '../native/rooms.ts';

const SERVER = `
import os, socket, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind(sys.argv[1])
print("bound", flush=True)
for line in sys.stdin:
    print(repr(log.recv(4096).decode()), flush=True)
`;

describe('supervisor/system-log', () => {
  const folder = mkdtempSync(`${tmpdir()}/system-log-`);
  const path = `${folder}/log`;
  const children = new Set<ChildProcess>();
  // One that a failed test has left would keep this process alive.
  after(() => {
    for (const child of children) child.kill();
    rmSync(folder, { recursive: true });
  });

  /** A daemon that takes one line each time it is asked. */
  async function daemon(): Promise<{ take(): Promise<string>; stop(): Promise<void> }> {
    const child = spawn('python3', ['-c', SERVER, path], { stdio: ['pipe', 'pipe', 'inherit'] });
    children.add(child);
    // A line may come in pieces.
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const said = async (): Promise<string> => (await lines.next()).value ?? '';
    expect(await said()).to.equal('bound');
    const take = async (): Promise<string> => {
      child.stdin.write('\n');
      return said();
    };
    const stop = async (): Promise<void> => {
      child.kill();
      await once(child, 'exit');
      children.delete(child);
      rmSync(path);
    };
    return { take, stop };
  }

  it('gets each line with facility, severity, name and process', async () => {
    const { take, stop } = await daemon();
    const log = new SystemLog(native, 'pasta', path);
    for (const [level, priority] of [
      [LogLevel.ERROR, 27],
      [LogLevel.WARNING, 28],
      [LogLevel.INFO, 30],
      [LogLevel.DEBUG, 31],
    ] as const) {
      log.put(level, 'a line');
      expect(await take()).to.equal(`'<${priority}>pasta[${process.pid}]: a line'`);
    }
    await stop();
  });

  it('is found again when it was restarted, and told what it has missed', async () => {
    const first = await daemon();
    const log = new SystemLog(native, 'pasta', path);
    log.put(LogLevel.INFO, 'one');
    await first.take();
    await first.stop();
    log.put(LogLevel.INFO, 'two');
    const second = await daemon();
    log.put(LogLevel.INFO, 'three');
    expect(await second.take()).to.equal(`'<28>pasta[${process.pid}]: 1 lines were lost: the log was busy, or nobody listened'`);
    expect(await second.take()).to.match(/three'$/);
    await second.stop();
  });

  it('is not waited for when it is full', async () => {
    const { take, stop } = await daemon();
    const log = new SystemLog(native, 'pasta', path);
    for (let number = 0; number < 10_000; number++) log.put(LogLevel.INFO, `line ${number}`);
    expect(await take()).to.match(/line 0'$/);
    await stop();
  });
});
