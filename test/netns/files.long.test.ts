/**
 * Trees of files through the product: rsync by its daemon and by ssh, git by its daemon and by HTTP.
 */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { expectNoGrowth, type Footprint, footprint } from '../support/footprint.ts';
import { check } from '../support/processes.ts';
import { type GitServers, makeRepository, startGitServers } from '../support/repositories.ts';
import { type Ssh, startRsync, startSshd } from '../support/servers.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const RSYNC_PORT = 8730;
const SSH_PORT = 2222;
const WEB_PORT = 8080;
const SMALL_FILES = 5000;
const BIG_FILE = 500_000_000;
const COMMITS = 3000;

/** A tree of many small files, empty ones among them, in folders of a hundred, and a big one. */
const PLANT = `mkdir -p "$1" && cd "$1"
openssl enc -aes-128-ctr -K 00 -iv 01 -in /dev/zero 2> /dev/null | head -c ${BIG_FILE} > big
openssl enc -aes-128-ctr -K 00 -iv 02 -in /dev/zero 2> /dev/null | head -c 20000000 | split -b 4000 -a 6 -d - small-
for i in $(seq -w 0 ${SMALL_FILES / 100 - 1}); do mkdir "folder-$i"; mv small-00"$i"?? "folder-$i"; : > "folder-$i/empty"; done
chmod -R a+rX .`;

describe('trees of files through the product', function () {
  this.timeout(240_000);
  let topology: Topology;
  let translator: Translator;
  let ssh: Ssh;
  let git: GitServers;
  let tree: string;
  let warm: Footprint;

  before(async () => {
    topology = makeTopology();
    await startRsync(topology, topology.far, TARGET4, RSYNC_PORT);
    ssh = await startSshd(topology, topology.far, TARGET6, SSH_PORT);
    git = await startGitServers(topology, topology.far, TARGET4, WEB_PORT);
    await makeRepository(git.folder, 'small.git', 10);
    await makeRepository(git.folder, 'large.git', COMMITS);
    tree = `${topology.folder}/rsync/tree`;
    execFileSync('sh', ['-ec', PLANT, 'sh', tree]);
    translator = await startTranslator('ravioli', topology);
    await inGuest(['git', 'clone', '-q', `git://${TARGET4}/small.git`, 'warm']);
    await inGuest(['rsync', '-a', `rsync://${TARGET4}:${RSYNC_PORT}/tree/folder-00`, 'warm']);
    warm = footprint(translator);
  });

  after(async () => {
    await translator?.stop();
    topology?.remove();
  });

  const inGuest = (argv: readonly string[]): Promise<string> =>
    check(argv, { namespace: translator.guest, cwd: topology.folder, env: { HOME: topology.folder }, timeout: 120_000 });

  /** One checksum of all names and contents below a folder. */
  const contents = async (folder: string): Promise<string> =>
    check(['sh', '-ec', 'find . -type f | LC_ALL=C sort | xargs md5sum | md5sum'], { user: 0, cwd: folder, timeout: 60_000 });

  const shell = (): string => ['ssh', ...ssh.options, '-p', SSH_PORT].join(' ');

  it(`rsync brings ${SMALL_FILES} small files and one of 500 MB from a daemon`, async () => {
    await inGuest(['rsync', '-a', `rsync://${TARGET4}:${RSYNC_PORT}/tree/`, 'brought']);
    expect(await contents(`${topology.folder}/brought`)).to.equal(await contents(tree));
  });

  it('rsync finds nothing to do the second time, though it reads everything', async () => {
    const said = await inGuest(['rsync', '-a', '-c', '-i', `rsync://${TARGET4}:${RSYNC_PORT}/tree/`, 'brought']);
    expect(said.trim()).to.equal('');
  });

  it('rsync takes the tree to a daemon', async () => {
    await inGuest(['rsync', '-rlt', 'brought/', `rsync://${TARGET4}:${RSYNC_PORT}/up/`]);
    expect(await contents(`${topology.folder}/rsync/up`)).to.equal(await contents(tree));
  });

  it('rsync brings and takes the tree over ssh', async () => {
    await inGuest(['rsync', '-a', '-e', shell(), `root@[${TARGET6}]:${tree}/`, 'over-ssh']);
    expect(await contents(`${topology.folder}/over-ssh`)).to.equal(await contents(tree));
    await inGuest(['rsync', '-rlt', '-e', shell(), 'over-ssh/', `root@[${TARGET6}]:${topology.folder}/rsync/ssh/`]);
    expect(await contents(`${topology.folder}/rsync/ssh`)).to.equal(await contents(tree));
  });

  it(`git clones ${COMMITS} commits from a daemon and over HTTP, whole`, async () => {
    const head = await check(['git', '-C', `${git.folder}/large.git`, 'rev-parse', 'main'], { user: 0, env: { HOME: git.folder } });
    for (const [url, folder] of [
      [`git://${TARGET4}/large.git`, 'by-daemon'],
      [`http://${TARGET4}:${WEB_PORT}/git/large.git`, 'by-http'],
    ] as const) {
      await inGuest(['git', 'clone', '-q', url, folder]);
      await inGuest(['git', '-C', folder, 'fsck', '--full', '--strict', '--no-progress']);
      expect(await inGuest(['git', '-C', folder, 'rev-parse', 'HEAD'])).to.equal(head);
      expect(await inGuest(['git', '-C', folder, 'rev-list', '--count', 'HEAD'])).to.equal(`${COMMITS}\n`);
    }
  });

  it('git pushes a history over HTTP', async () => {
    await inGuest(['git', '-C', 'by-daemon', 'push', '-q', `http://${TARGET4}:${WEB_PORT}/git/small.git`, 'main:refs/heads/copy']);
    const count = ['git', '-C', `${git.folder}/small.git`, 'rev-list', '--count', 'copy'];
    expect(await check(count, { user: 0, env: { HOME: git.folder } })).to.equal(`${COMMITS}\n`);
  });

  it('holds no more afterwards than after the first connections', async () => {
    await expectNoGrowth(translator, warm);
  });
});
