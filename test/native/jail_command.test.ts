import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Channel, compileProbe, gone, jailPath, native, NOBODY, Step, type Started, start, status } from './rooms.ts';

for (const uid of [0, NOBODY]) {
  describe(`native/jail command, as uid ${uid}`, () => {
    let control: Channel;
    let jail: Started;
    let pid = 0;

    /** Starts jail up to the point where the command waits for its release. */
    async function prepare(options: string[], command: string[], env: Record<string, string> = {}): Promise<void> {
      control = new Channel();
      jail = start(jailPath, ['command', '3', ...options, '--', ...command], [control.theirs], {
        argv0: 'pasta.jail',
        uid,
        gid: uid,
        cwd: '/',
        env: { PATH: '/usr/bin:/bin', ...env },
      });
      control.releaseTheirs();
      const first = await control.step();
      if (first?.[0] !== Step.PID) throw new Error(`jail says ${first} ${await jail.output}`);
      pid = first[1];
      expect(await control.step()).to.deep.equal([Step.READY, 0]);
    }

    async function run(options: string[], command: string[], env: Record<string, string> = {}): Promise<string> {
      await prepare(options, command, env);
      control.send('x');
      await jail.ended;
      return jail.output;
    }

    afterEach(async () => {
      control.close();
      jail.process.kill('SIGKILL');
      await jail.ended;
    });

    it('is root of its own namespaces, with the one mapping, before it is released', async () => {
      await prepare([], ['true']);
      for (const name of ['user', 'mnt', 'ipc', 'uts', 'pid', 'net']) {
        expect(readlinkSync(`/proc/${pid}/ns/${name}`), name).not.to.equal(readlinkSync(`/proc/self/ns/${name}`));
      }
      expect(readFileSync(`/proc/${pid}/uid_map`, 'latin1').trim().split(/\s+/)).to.deep.equal(['0', `${uid}`, '1']);
      expect(readFileSync(`/proc/${pid}/gid_map`, 'latin1').trim().split(/\s+/)).to.deep.equal(['0', `${uid}`, '1']);
      expect(readFileSync(`/proc/${pid}/setgroups`, 'latin1').trim()).to.equal('deny');
      expect(status(jail.process.pid as number).Name).to.equal('pasta.jail');
      expect(readlinkSync(`/proc/${jail.process.pid}/ns/user`)).to.equal(readlinkSync('/proc/self/ns/user'));
    });

    it("sees only itself in /proc, may ping, and keeps the caller's environment and directory", async () => {
      const script = 'echo $$; id -u; ls -d /proc/[0-9]*; cat /proc/sys/net/ipv4/ping_group_range; echo "$MARK"; pwd; ls /proc/self/fd';
      const words = (await run([], ['sh', '-c', script], { MARK: 'blue' })).trim().split(/\s+/);
      expect(words.slice(0, 2)).to.deep.equal(['1', '0']);
      expect(words.filter((word) => word.startsWith('/proc/'))).to.have.length.below(4);
      expect(words.join(' ')).to.match(/ 0 0 blue \/ 0 1 2 3$/);
    });

    it('takes the hostname and the name of argv[0]', async () => {
      expect(await run(['--hostname', 'pasta-test'], ['uname', '-n'])).to.equal('pasta-test\n');
      expect(await run(['--hostname', 'h'.repeat(253)], ['uname', '-n'])).to.equal(`${'h'.repeat(64)}\n`);
      expect(await run(['--argv0', '-sh'], ['/bin/sh', '-c', 'cat /proc/self/comm; tr "\\0" " " </proc/1/cmdline'])).to.include('-sh -c');
      expect(await run([], ['uname', '-n'])).to.equal(`${hostname()}\n`);
    });

    it('stays in our pid namespace with --no-pidns', async () => {
      await prepare(['--no-pidns'], ['sh', '-c', 'echo $$; readlink /proc/self/ns/net; cat /proc/sys/net/ipv4/ping_group_range']);
      expect(readlinkSync(`/proc/${pid}/ns/pid`)).to.equal(readlinkSync('/proc/self/ns/pid'));
      const net = readlinkSync(`/proc/${pid}/ns/net`);
      control.send('x');
      expect(await jail.output).to.equal(`${pid}\n${net}\n0\t0\n`);
    });

    for (const code of [0, 7, 255]) {
      it(`ends with the command's code ${code}`, async () => {
        await run([], ['sh', '-c', `exit ${code}`]);
        expect(await jail.ended).to.deep.equal({ code, signal: null });
      });
    }

    it('ends with 128 and the signal that ended the command', async () => {
      await run(['--no-pidns'], ['sh', '-c', 'kill -TERM $$']);
      expect(await jail.ended).to.deep.equal({ code: 143, signal: null });
      await prepare([], ['sleep', '100']);
      control.send('x');
      expect(await control.step()).to.equal(null);
      native.kill(pid, 9);
      expect(await jail.ended).to.deep.equal({ code: 137, signal: null });
    });

    it("reports a command that can't be executed, and then ends with 1", async () => {
      await prepare([], ['no-such-command']);
      control.send('x');
      expect(await control.step()).to.deep.equal([Step.EXEC, 2]);
      expect(await jail.ended).to.deep.equal({ code: 1, signal: null });
      await prepare([], ['/etc/passwd']);
      control.send('x');
      expect(await control.step()).to.deep.equal([Step.EXEC, 13]);
    });

    it('closes the control socket when the exec succeeded', async () => {
      await prepare([], ['sleep', '100']);
      control.send('x');
      expect(await control.step()).to.equal(null);
      expect(status(pid).Name).to.equal('sleep');
    });

    it('passes SIGTERM on to a command that handles it', async () => {
      await prepare([], ['sh', '-c', 'trap "exit 9" TERM; echo up; while :; do sleep 0.05; done']);
      control.send('x');
      await once(jail.process.stdout as NodeJS.ReadableStream, 'data');
      jail.process.kill('SIGTERM');
      expect(await jail.ended).to.deep.equal({ code: 9, signal: null });
    });

    it('gives the command default signals, an empty mask and only 0, 1 and 2', async () => {
      await prepare([], ['sleep', '100']);
      control.send('x');
      expect(await control.step()).to.equal(null);
      const facts = status(pid);
      expect(facts.SigBlk).to.match(/^0+$/);
      expect(facts.SigIgn).to.match(/^0+$/);
      expect(
        execFileSync('ls', [`/proc/${pid}/fd`])
          .toString()
          .trim()
          .split('\n'),
      ).to.deep.equal(['0', '1', '2']);
      expect(
        execFileSync('ls', [`/proc/${jail.process.pid}/fd`])
          .toString()
          .trim()
          .split('\n'),
      ).to.have.length(1);
    });

    it('leaves nothing when the supervisor lets go before the release', async () => {
      await prepare([], ['true']);
      control.close();
      await gone(pid);
      expect(await jail.ended).to.deep.equal({ code: 1, signal: null });
    });

    it('leaves nothing when jail is killed: the command and all its descendants end', async () => {
      await prepare([], ['sh', '-c', 'setsid sleep 100 & echo up; wait']);
      control.send('x');
      await once(jail.process.stdout as NodeJS.ReadableStream, 'data');
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').map(Number);
      expect(children).to.have.length(1);
      jail.process.kill('SIGKILL');
      await Promise.all([pid, ...children].map(gone));
    });
  });
}

describe('native/jail, when the supervisor is killed', () => {
  for (const role of ['worker', 'command', 'opener']) {
    it(`leaves nothing of the ${role}`, async () => {
      const script = fileURLToPath(new URL('mortal_supervisor.ts', import.meta.url));
      const supervisor = start(process.execPath, [script, role, compileProbe()], []);
      const [line] = await once(supervisor.process.stdout as NodeJS.ReadableStream, 'data');
      const pids = `${line}`.trim().split(' ').map(Number);
      expect(pids.length).to.be.greaterThan(0);
      for (const pid of pids) expect(status(pid).State).to.match(/^[SR]/);
      supervisor.process.kill('SIGKILL');
      await Promise.all(pids.map(gone));
    });
  }
});

describe('native/jail, when something is forbidden', () => {
  /** As root of a user namespace, in which `limit` is 0. */
  function limited(limit: string, options: string[]): number {
    const script = `echo 0 > /proc/sys/user/${limit}; exec "$0" "$@"`;
    const child = fileURLToPath(new URL('first_failure.ts', import.meta.url));
    const output = execFileSync('unshare', ['-r', 'sh', '-c', script, process.execPath, child, ...options]);
    return Number(output.toString());
  }

  for (const role of ['worker', 'command']) {
    it(`names user namespaces as the cause for the ${role}`, () => {
      expect(limited('max_user_namespaces', [role])).to.equal(Step.USER_NAMESPACE);
    });
    it(`names another namespace as the cause for the ${role}`, () => {
      expect(limited('max_uts_namespaces', [role])).to.equal(Step.NAMESPACES);
    });
  }

  it('does without a network namespace for the worker', () => {
    expect(limited('max_net_namespaces', ['worker'])).to.equal(Step.PID);
    expect(limited('max_net_namespaces', ['command'])).to.equal(Step.NAMESPACES);
  });

  it('refuses arguments that make no sense, with one line', async () => {
    for (const args of [
      [],
      ['worker'],
      ['butler', '3', '--', 'x', 'y'],
      ['worker', '3', '--', 'x', 'y'],
      ['worker', '99', '--', 'x', 'y'],
      ['command', '2', '--no-pidns'],
      ['opener', '3,', '--', 'x'],
      ['command', '3', '--what', '--', 'true'],
      ['command', '3', '--session', '--'],
    ]) {
      const jail = start(jailPath, args, []);
      expect(await jail.output, args.join(' ')).to.match(/^jail: [^\n]+\n$/);
      expect(await jail.ended).to.deep.equal({ code: 1, signal: null });
    }
  });
});
