/** Runs that outlive the process that was started: what their callers wait for, and what they find. */
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect } from 'chai';
import { check, run, type Running, start } from '../support/processes.ts';
import { gone } from '../support/product.ts';
import { tree } from '../support/processtable.ts';
import { PRODUCT } from '../support/translator.ts';

/** A namespace and what shows its addresses. */
async function holder(): Promise<Running> {
  const running = start(['unshare', '-rn', 'sh', '-c', 'echo held; exec sleep 1000']);
  await running.waitFor(/held/);
  return running;
}

function inside(guest: Running, ...words: string[]): Promise<string> {
  const namespaces = [`--user=/proc/${guest.pid}/ns/user`, `--net=/proc/${guest.pid}/ns/net`];
  return check(['nsenter', ...namespaces, '--preserve-credentials', ...words], { user: 0 });
}

/** What an ordinary user, who may not look into rooms, sees of their descriptors. */
const HIDDEN = 'EACCES';

function targetOf(pid: number, fd: number): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code as string;
  }
}

describe('netns: background', function () {
  this.timeout(20_000);
  let folder: string;
  let guest: Running;

  before(async () => {
    folder = mkdtempSync(`${tmpdir()}/background-`);
    await check(['chmod', '0777', folder], { user: 0 });
  });
  after(() => rmSync(folder, { recursive: true }));
  beforeEach(async () => {
    guest = await holder();
  });
  afterEach(() => guest.stop('SIGKILL'));

  /** Starts the product in the background; the pid is that of the process that stays. */
  async function serve(...words: string[]): Promise<{ pid: number; file: string }> {
    const file = `${folder}/pid`;
    rmSync(file, { force: true });
    const result = await run([PRODUCT, '--config-net', '-q', '-P', file, ...words]);
    expect(result).to.deep.equal({ code: 0, stdout: '', stderr: '', timedOut: false });
    return { pid: Number(readFileSync(file, 'utf8')), file };
  }

  it('is what a process ID means: the network is there when the first process has left with status 0, its output closed', async () => {
    const { pid, file } = await serve(String(guest.pid));
    expect(await inside(guest, 'ip', '-brief', 'address')).to.match(/^\S+ +UNKNOWN +\d+\.\d+\.\d+\.\d+\/\d+/m);
    expect(readFileSync(file, 'utf8')).to.equal(`${pid}\n`);
    expect(statSync(file).mode & 0o777).to.equal(0o600);
    process.kill(pid, 'SIGTERM');
    await gone(pid);
  });

  it('leaves the terminal, the folder and the standard descriptors of its caller, in every process', async () => {
    const { pid } = await serve(String(guest.pid));
    const everyone = tree(pid);
    expect(everyone.length).to.be.greaterThan(3);
    for (const process of everyone) {
      // A jail that is about to end has none at all.
      for (const fd of [0, 1, 2]) expect(['/dev/null', HIDDEN, 'ENOENT'], `${process}/${fd}`).to.include(targetOf(process, fd));
    }
    expect(readlinkSync(`/proc/${pid}/cwd`)).to.equal('/');
    const [, , , session] = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /, '')
      .split(' ');
    expect(Number(session)).to.equal(pid);
    process.kill(pid, 'SIGTERM');
    await Promise.all(everyone.map((each) => gone(each)));
  });

  it('ends when the namespace has gone, and leaves no process', async () => {
    const { pid } = await serve(String(guest.pid));
    const everyone = tree(pid);
    await guest.stop('SIGKILL');
    await Promise.all(everyone.map((each) => gone(each)));
  });

  it('says on the stderr of the first process what went wrong, with status 1', async () => {
    const result = await run([PRODUCT, '--config-net', '-t', '1.2.3.4/80', String(guest.pid)]);
    expect(result.code).to.equal(1);
    expect(result.stderr).to.match(/1\.2\.3\.4/);
    const unknown = await run([PRODUCT, '--config-net', '--nonsense', '--netns', 'x']);
    expect(unknown.code).to.equal(1);
    expect(unknown.stderr).to.match(/^pasta: unrecognized option '--nonsense'\n/);
  });

  it('what is killed before it is ready leaves nothing', async () => {
    const left: number[] = [];
    for (let delay = 0; delay < 100; delay += 10) {
      const file = `${folder}/killed${delay}`;
      const running = start([PRODUCT, '--config-net', '-q', '-P', file, String(guest.pid)]);
      await new Promise((resolve) => setTimeout(resolve, delay));
      const everyone = tree(running.pid);
      running.child.kill('SIGKILL');
      await running.finished;
      // Who had left, or was just about to, has a service that is ready, which writes the file first, and stays with its namespace.
      if (existsSync(file) && statSync(file).size > 0) left.push(...everyone);
      else await Promise.all(everyone.map((each) => gone(each)));
    }
    await guest.stop('SIGKILL');
    await Promise.all(left.map((each) => gone(each)));
  });

  it('a pid file that cannot be made is told before anything is started', async () => {
    const result = await run([PRODUCT, '--config-net', '-P', '/nowhere/pid', String(guest.pid)]);
    expect(result.code).to.equal(1);
    expect(result.stderr).to.match(/^pasta: cannot make the pid file '\/nowhere\/pid' \(ENOENT.*\); give --pid another path\n$/);
  });

  it('the foreground keeps the caller waiting, and writes the pid file when the network is ready', async () => {
    const file = `${folder}/foreground`;
    const running = start([PRODUCT, '--config-net', '-f', '-P', file, String(guest.pid)]);
    await running.waitFor(/^DNS: /m);
    await running.stop();
    expect(readFileSync(file, 'utf8')).to.equal(`${running.pid}\n`);
  });

  it('writes its log file, and not to stderr, once it is in the background', async () => {
    const log = `${folder}/log`;
    const file = `${folder}/logged`;
    const result = await run([PRODUCT, '--config-net', '-l', log, '-P', file, String(guest.pid)]);
    const pid = Number(readFileSync(file, 'utf8'));
    await guest.stop('SIGKILL');
    await gone(pid);
    const [header, ...lines] = readFileSync(log, 'utf8').trimEnd().split('\n');
    expect(header).to.match(new RegExp(`^pasta \\S+: \\S+/bin/pasta \\(${pid}\\)$`));
    const told = lines.map((line) => line.replace(/^\d+\.\d{4}: info: {4}/, ''));
    expect(told.at(-1)).to.equal("the guest's namespace has gone");
    expect(told.slice(0, -1)).to.deep.equal(result.stderr.trimEnd().split('\n'));
    expect(statSync(log).mode & 0o777).to.equal(0o600);
  });

  it('shows counters in the foreground when something has happened, for --stats', async () => {
    const running = start([PRODUCT, '--config-net', '-q', '-f', '--stats', '1', String(guest.pid)]);
    await running.waitFor(/^pasta: +flows +from guest .*\npasta: +\d+ +[1-9]/m);
    await running.stop();
  });
});
