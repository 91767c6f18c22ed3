/** The units for real, in a manager of an ordinary user: with their filters, started anew, and with sockets that it has bound. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { type Finished, run, UNPRIVILEGED } from '../support/processes.ts';
import { makeTopology, type Topology } from '../support/topology.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url)).slice(0, -1);

/** Status 77 where there can be no group of processes of our own. $0: the home, $1: the name of the group, $2: what is done with the manager. */
const MANAGER = `
mount --make-rprivate /
mount -t tmpfs tmpfs /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup || exit 77
group=/sys/fs/cgroup/$1
mkdir "$group" && echo $$ > "$group/cgroup.procs" || exit 77
chown -R ${UNPRIVILEGED} "$group"
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system /run/user/own
chown ${UNPRIVILEGED}:${UNPRIVILEGED} /run/user/own && chmod 700 /run/user/own
export XDG_RUNTIME_DIR=/run/user/own HOME="$0" XDG_CONFIG_HOME="$0/.config"
as_user() { setpriv --reuid=${UNPRIVILEGED} --regid=${UNPRIVILEGED} --clear-groups "$@"; }
control() { as_user systemctl --user --no-pager "$@"; }
setpriv --reuid=${UNPRIVILEGED} --regid=${UNPRIVILEGED} --clear-groups /lib/systemd/systemd --user --log-target=null &
manager=$!
until [ -S /run/user/own/systemd/private ]; do kill -0 $manager || exit 1; sleep 0.1; done
worker() { for pid in $(cat "$group/app.slice/app-ravioli.slice/ravioli@box.service/cgroup.procs"); do
  if [ "$(cat /proc/$pid/comm)" = passt.worker ]; then echo $pid; fi; done; }
eval "$2"
/bin/kill --signal RTMIN+24 $manager
wait $manager
echo $$ > /sys/fs/cgroup/cgroup.procs
find "$group" -depth -type d -exec rmdir {} \\;
`;

const LIFE = `
control start ravioli@box || exit 1
control show ravioli@box -p ActiveState,StatusText,NRestarts
grep Seccomp_filters /proc/$(worker)/status
first=$(worker)
kill -9 "$first"
until now=$(worker); [ "$now" ] && [ "$now" != "$first" ] && control is-active --quiet ravioli@box; do sleep 0.1; done
control show ravioli@box -p NRestarts
control stop ravioli@box
control show ravioli@box -p ActiveState,Result,ExecMainStatus
ls /run/user/own/ravioli`;

const SOCKETS = `
control start ravioli@box.socket || exit 1
control start ravioli@box || exit 1
as_user "$0/usr/bin/ravioli" status
control stop ravioli@box.socket ravioli@box`;

describe('systemd: the units of a user', function () {
  this.timeout(120_000);
  let topology: Topology;
  let home: string;
  let count = 0;

  before(() => {
    topology = makeTopology();
    home = mkdtempSync('/tmp/ravioli-systemd-');
    chmodSync(home, 0o755);
    const settings = [`PREFIX=${home}/usr`, `SYSCONFDIR=${home}/etc`];
    execFileSync('make', ['-s', '-C', ROOT, 'install', ...settings], { stdio: ['ignore', 'ignore', 'inherit'] });
    const units = `${home}/.config/systemd/user`;
    for (const folder of [`${home}/.config/ravioli`, `${units}/ravioli@box.socket.d`]) mkdirSync(folder, { recursive: true });
    execFileSync('cp', [`${home}/usr/lib/systemd/user/ravioli@.service`, `${home}/usr/lib/systemd/user/ravioli@.socket`, units]);
    writeFileSync(`${units}/ravioli@box.socket.d/ports.conf`, '[Socket]\nListenStream=127.0.0.1:18443\nFileDescriptorName=tcp-80\n');
    writeFileSync(`${home}/.config/ravioli/box.toml`, 'mode = "passt"\ntcp-ports = "none"\nudp-ports = "none"\n');
    chownSync(home, UNPRIVILEGED, UNPRIVILEGED);
  });
  after(() => {
    rmSync(home, { recursive: true, force: true });
    topology?.remove();
  });

  function withManager(script: string): Promise<Finished> {
    const words = ['unshare', '--mount', 'sh', '-c', MANAGER, home, `ravioli-${process.pid}-${count++}`, script];
    return run(words, { namespace: topology.host, user: 0, timeout: 100_000 });
  }

  /** Whether this machine gives root a group of processes of its own. */
  const lacksGroups = (): boolean => {
    const probe =
      'mount -t cgroup2 none /mnt && mkdir /mnt/$0 && { echo $$ > /mnt/$0/cgroup.procs && echo $$ > /mnt/cgroup.procs; rmdir /mnt/$0; }';
    return spawnSync('unshare', ['--mount', 'sh', '-ec', probe, `ravioli-probe-${process.pid}`]).status !== 0;
  };

  it('a network is ready when the manager says so, confined by it as well, started anew when its worker dies, and leaves nothing', async function () {
    if (lacksGroups()) this.skip();
    const { stdout, stderr } = await withManager(LIFE);
    expect(stdout, stderr).to.match(/^StatusText=Serving \/run\/user\/own\/ravioli\/box\.socket$/m);
    expect(stdout, stdout + stderr).to.match(/^NRestarts=0\n[^]*^NRestarts=1$/m);
    expect(Number(/Seccomp_filters:\s*(\d+)/.exec(stdout)?.[1])).to.be.above(3);
    expect(stdout).to.match(/^Result=success\nExecMainStatus=0\nActiveState=inactive$|^ActiveState=inactive$/m);
    expect(stdout.trim().split('\n').at(-1)).to.match(/^(Result|ExecMainStatus|ActiveState)=/);
  });

  it('sockets that the manager has bound are forwarded', async function () {
    if (lacksGroups()) this.skip();
    const { stdout, stderr } = await withManager(SOCKETS);
    expect(stdout, stderr).to.match(/forwards {2}tcp host 127\.0\.0\.1:18443 to guest 80/);
  });
});
