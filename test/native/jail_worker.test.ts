import { expect } from 'chai';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { Channel, compileProbe, gone, jailPath, native, NOBODY, Step, type Started, start, status } from './rooms.ts';

const HIDDEN = { NODE_OPTIONS: '--inspect', LD_PRELOAD: '', HOME: '/root', SECRET: '1' };

for (const uid of [0, NOBODY]) {
  describe(`native/jail worker, as uid ${uid}`, () => {
    let probe: string;
    let control: Channel;
    let channel: Channel;
    let jail: Started;
    let pid = 0;

    before(() => {
      probe = compileProbe();
    });

    /** The probe in the worker's place, up to the exec. */
    async function startWorker(program = probe): Promise<void> {
      control = new Channel();
      channel = new Channel();
      const fds = [channel.theirs, 0, control.theirs, 0];
      // Not by the options of spawn, which would give up the groups before jail could.
      const ids = ['--reuid', `${uid}`, '--regid', `${uid}`, uid === 0 ? '--groups=4,24' : '--clear-groups'];
      jail = start('setpriv', [...ids, jailPath, 'worker', '5', '--', program, 'argument'], fds, { env: { ...process.env, ...HIDDEN } });
      control.releaseTheirs();
      channel.releaseTheirs();
      const message = await control.step();
      if (message?.[0] === Step.PID) pid = message[1];
      else throw new Error(`jail says ${message} ${await jail.output}`);
    }

    async function pivot(): Promise<void> {
      await channel.ask('ids');
      control.send('x');
      expect(await control.step()).to.deep.equal([Step.PIVOTED, 0]);
    }

    afterEach(async () => {
      channel.close();
      control.close();
      if (pid) {
        native.kill(pid, 9);
        await gone(pid);
        native.reap(pid);
      }
      pid = 0;
      await jail.ended;
    });

    it('gives a fixed environment, the channel and nothing else', async () => {
      await startWorker();
      expect(await channel.ask('environment')).to.equal('PATH=/usr/bin:/bin LANG=C MALLOC_ARENA_MAX=1 UV_THREADPOOL_SIZE=1');
      expect(await channel.ask('descriptors')).to.equal('0 1 2 3');
      expect(await channel.ask('limits')).to.equal('0 0 0 1');
    });

    it('has no capability, no new privileges, a filter, and is the first process of its namespace', async () => {
      await startWorker();
      expect((await channel.ask('ids')).split(' ').slice(0, 3)).to.deep.equal(['1', '0', '65534']);
      const facts = status(pid);
      for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) expect(facts[set], set).to.equal('0000000000000000');
      expect(facts).to.include({ NoNewPrivs: '1', Seccomp: '2', Name: 'probe', PPid: `${process.pid}` });
      expect(facts.Uid?.split('\t')[1]).to.equal(`${uid}`);
      if (uid === 0) expect(facts.Groups?.trim()).to.equal('');
      for (const name of ['user', 'mnt', 'ipc', 'uts', 'pid', 'net']) {
        expect(readlinkSync(`/proc/${pid}/ns/${name}`), name).not.to.equal(readlinkSync(`/proc/self/ns/${name}`));
      }
    });

    it('has a session of its own, out of reach of the terminal', async () => {
      await startWorker();
      expect((await channel.ask('ids')).split(' ')[3]).to.equal('1');
    });

    it('may read before the pivot, but write, make and execute nothing, and make no namespace', async () => {
      await startWorker();
      expect(await channel.ask('read /etc/passwd')).to.equal('0');
      expect(await channel.ask('write /dev/null')).to.equal('13');
      expect(await channel.ask('create /tmp/ravioli-escape')).to.equal('13');
      expect(await channel.ask('exec /bin/true')).to.equal('13');
      expect(await channel.ask('unshare')).to.equal('1');
      expect(await channel.ask('io_uring')).to.equal('38');
    });

    it('reaches no TCP port, no abstract socket and no process of the host', async () => {
      await startWorker();
      const tcp = createServer().listen(0, '127.0.0.1').unref();
      const abstract = createServer().listen(`\0ravioli-probe-${process.pid}`).unref();
      await Promise.all([tcp, abstract].map((server) => new Promise((resolve) => server.once('listening', resolve))));
      expect(await channel.ask(`tcp ${(tcp.address() as { port: number }).port}`)).to.equal('13');
      expect(await channel.ask(`abstract ravioli-probe-${process.pid}`)).to.be.oneOf(['1', '111']);
      expect(await channel.ask(`kill ${process.pid}`)).to.equal('3');
      tcp.close();
      abstract.close();
    });

    it('stands in an empty read-only root after the pivot, with nothing above it', async () => {
      await startWorker();
      expect(await channel.ask('list /')).to.include('usr');
      await pivot();
      expect(await channel.ask('list /')).to.equal('-');
      expect(await channel.ask('list ..')).to.equal('-');
      expect(await channel.ask('list ../../..')).to.equal('-');
      expect(await channel.ask('read /proc/self/status')).to.equal('2');
      expect(await channel.ask('create /file')).to.be.oneOf(['13', '30']);
      expect(readdirSync(`/proc/${pid}/root/`)).to.deep.equal([]);
      expect(readdirSync(`/proc/${pid}/cwd/`)).to.deep.equal([]);
      const mounts = readFileSync(`/proc/${pid}/mountinfo`, 'latin1').trim().split('\n');
      expect(mounts).to.have.length(1);
      expect(mounts[0]).to.match(/ \/ \/ ro,nosuid,nodev,noexec.* - tmpfs /);
      expect(await jail.ended).to.deep.equal({ code: 0, signal: null });
    });

    it('is our child: its exit code is ours to reap', async () => {
      await startWorker();
      await pivot();
      channel.send('exit 7');
      await gone(pid);
      expect(native.reap(pid)).to.deep.equal({ code: 7, signal: 0 });
      pid = 0;
    });

    it('dies when the control socket closes before the pivot', async () => {
      await startWorker();
      await channel.ask('ids');
      control.close();
      await gone(pid);
      expect(native.reap(pid)).to.deep.equal({ code: 0, signal: 9 });
      expect(await jail.ended).to.deep.equal({ code: 1, signal: null });
      pid = 0;
    });

    it('says which program could not be executed', async () => {
      control = new Channel();
      channel = new Channel();
      jail = start(jailPath, ['worker', '4', '--', '/nowhere/program'], [channel.theirs, control.theirs], { uid, gid: uid });
      control.releaseTheirs();
      expect(await control.step()).to.deep.equal([Step.EXEC, 2]);
      expect(await jail.ended).to.deep.equal({ code: 1, signal: null });
    });
  });
}
