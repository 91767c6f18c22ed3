/** Where runs without a path listen, and who finds them there. */
import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { instanceFolder, isAlive, listenAsInstance, listInstances, mayBeInGuest } from '../../../supervisor/control/instances.ts';
import { listenAt } from '../../../supervisor/control/path.ts';
import { identityOf } from '../../../supervisor/join.ts';
import { native } from '../../native/rooms.ts';

const UID = process.geteuid?.() as number;
/** A process ID that nobody has: the largest that there can be, and one more. */
const NOBODYS_PID = 4_194_305;
const silent = { info: () => undefined, warning: () => undefined };
const PARTS = { native, log: silent, uid: UID, clientMs: 1000, isRefused: () => false };

describe('supervisor/control/instances', () => {
  let runtime: string;

  beforeEach(() => {
    runtime = mkdtempSync(join(tmpdir(), 'runtime-'));
  });

  afterEach(() => rmSync(runtime, { recursive: true, force: true }));

  it('listens under the process’s ID, in a folder for its user alone', () => {
    const server = listenAsInstance(PARTS, runtime);
    expect(listInstances(`${runtime}/ravioli`)).to.deep.equal([{ pid: process.pid, path: `${runtime}/ravioli/${process.pid}.sock` }]);
    expect(statSync(`${runtime}/ravioli`).mode & 0o777).to.equal(0o700);
    server?.close();
    expect(listInstances(`${runtime}/ravioli`)).to.deep.equal([]);
  });

  it('has no place where another could put something, and makes nothing there', () => {
    chmodSync(runtime, 0o777);
    expect(listenAsInstance(PARTS, runtime)).to.equal(null);
    chmodSync(runtime, 0o700);
    expect(instanceFolder(runtime, UID + 1)).to.equal(null);
    expect(instanceFolder(`${runtime}/none`, UID)).to.equal(null);
    expect(existsSync(`${runtime}/ravioli`)).to.equal(false);
    mkdirSync(`${runtime}/elsewhere`);
    symlinkSync(`${runtime}/elsewhere`, `${runtime}/ravioli`);
    expect(listenAsInstance(PARTS, runtime)).to.equal(null);
  });

  it('only root has one without XDG_RUNTIME_DIR', () => {
    for (const variable of [undefined, '', 'relative']) {
      expect(instanceFolder(variable, 1000)).to.equal(null);
      expect(instanceFolder(variable, 0)).to.equal('/run/ravioli');
    }
  });

  it('nobody minds when there is no room', () => {
    const long = `${runtime}/${'x'.repeat(100)}`;
    mkdirSync(long, { mode: 0o700 });
    expect(listenAsInstance(PARTS, long)).to.equal(null);
  });

  it('removes what killed runs have left, and nothing else', () => {
    mkdirSync(`${runtime}/ravioli`, { mode: 0o700 });
    const at = (name: string): string => `${runtime}/ravioli/${name}`;
    expect(isAlive(NOBODYS_PID)).to.equal(false);
    native.close(listenAt(native, at(`${NOBODYS_PID}.sock`)));
    native.close(listenAt(native, at('other.sock')));
    native.close(listenAt(native, at('1.sock')));
    writeFileSync(at(`${NOBODYS_PID + 1}.sock`), 'a file');
    // A process that we don't see, as in another PID namespace, listens.
    const unseen = listenAt(native, at(`${NOBODYS_PID + 2}.sock`));
    const server = listenAsInstance(PARTS, runtime);
    expect(existsSync(at(`${NOBODYS_PID}.sock`)), 'a dead process').to.equal(false);
    for (const name of ['other.sock', '1.sock', `${NOBODYS_PID + 1}.sock`, `${NOBODYS_PID + 2}.sock`])
      expect(existsSync(at(name)), name).to.equal(true);
    native.close(unseen);
    server?.close();
  });

  it('takes the place of a dead process of the same number, not of a live one', () => {
    mkdirSync(`${runtime}/ravioli`, { mode: 0o700 });
    native.close(listenAt(native, `${runtime}/ravioli/${process.pid}.sock`));
    const server = listenAsInstance(PARTS, runtime);
    expect(server).not.to.equal(null);
    expect(listenAsInstance(PARTS, runtime)).to.equal(null);
    server?.close();
  });

  it('knows who is in the guest’s network', async () => {
    const child = spawn('unshare', ['--user', '--map-root-user', '--net', 'sh', '-c', 'echo; exec sleep infinity'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout as NonNullable<typeof child.stdout>, 'data');
    const guest = child.pid as number;
    const network = (pid: number | 'self'): number => identityOf(readlinkSync(`/proc/${pid}/ns/net`));
    const inside = network(guest);
    expect(mayBeInGuest(guest, inside), 'the guest').to.equal(true);
    expect(mayBeInGuest(process.pid, inside), 'the host').to.equal(false);
    expect(mayBeInGuest(NOBODYS_PID, inside), 'nobody knows').to.equal(true);
    expect(mayBeInGuest(process.pid, network('self')), 'a guest in the network of the host').to.equal(false);
    child.kill('SIGKILL');
    await once(child, 'close');
  });

  it('a socket that was moved away is not removed by its run', () => {
    const server = listenAsInstance(PARTS, runtime);
    const own = `${runtime}/ravioli/${process.pid}.sock`;
    renameSync(own, `${own}.moved`);
    server?.close();
    expect(existsSync(`${own}.moved`)).to.equal(true);
  });
});
