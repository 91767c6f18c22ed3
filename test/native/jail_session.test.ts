import { expect } from 'chai';
import { createRequire } from 'node:module';
import { ReadStream } from 'node:tty';
import { writeSync } from 'node:fs';
import { Channel, jailPath, native, NOBODY, Step, type Started, start } from './rooms.ts';

const pty = createRequire(import.meta.url)('node-pty/build/Release/pty.node') as {
  open(columns: number, rows: number): { master: number; slave: number; pty: string };
};

/** An interactive shell under jail on a terminal of its own, as text in and text out. */
class Terminal {
  readonly #master: number;
  readonly #stream: ReadStream;
  readonly slave: number;
  #text = '';
  #arrived: (() => void) | undefined;

  constructor() {
    const { master, slave } = pty.open(80, 24);
    this.#master = master;
    this.slave = slave;
    this.#stream = new ReadStream(master);
    this.#stream.on('data', (chunk) => {
      this.#text += chunk;
      this.#arrived?.();
    });
    this.#stream.on('error', () => {});
  }

  type(text: string): void {
    writeSync(this.#master, text);
  }

  /** Waits for `pattern` in what has come since the last match. */
  async expect(pattern: RegExp): Promise<RegExpMatchArray> {
    for (;;) {
      const match = this.#text.match(pattern);
      if (match) {
        this.#text = this.#text.slice((match.index as number) + match[0].length);
        return match;
      }
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
  }

  close(): void {
    this.#stream.destroy();
  }
}

for (const leader of [true, false]) {
  describe(`native/jail command --session, ${leader ? "as the leader of the terminal's session" : 'in a session without a terminal'}`, () => {
    let control: Channel;
    let terminal: Terminal;
    let jail: Started;

    beforeEach(async () => {
      control = new Channel();
      terminal = new Terminal();
      const shell = ['command', '3', '--session', '--', 'bash', '--norc', '--noediting', '-i'];
      const [program, args] = leader ? ['setsid', ['-c', jailPath, ...shell]] : [jailPath, shell];
      jail = start(program as string, args as string[], [], {
        stdio: [terminal.slave, terminal.slave, terminal.slave, control.theirs],
        detached: !leader,
        uid: NOBODY,
        gid: NOBODY,
        cwd: '/',
        env: { PATH: '/usr/bin:/bin', PS1: 'ready> ' },
      });
      control.releaseTheirs();
      native.close(terminal.slave);
      expect((await control.step())?.[0]).to.equal(Step.PID);
      expect(await control.step()).to.deep.equal([Step.READY, 0]);
      control.send('x');
      await terminal.expect(/ready> /);
    });

    afterEach(async () => {
      terminal.close();
      control.close();
      jail.process.kill('SIGKILL');
      await jail.ended;
    });

    /** The line comes twice, from the terminal's echo and from cat, which can read only when it is in the foreground. */
    async function talkToCat(): Promise<void> {
      terminal.type('line\n');
      await terminal.expect(/line\r\n(.|\n)*line\r\n/);
    }

    async function startCat(): Promise<void> {
      await terminal.expect(/ready> /);
      terminal.type('cat\n');
      await talkToCat();
    }

    it("has job control: ^C, ^Z, fg, and the shell's exit code", async () => {
      terminal.type('echo "tty=$(ps -o tty= -p $$)" "sid=$(ps -o sid= -p $$)"\n');
      const [, tty, sid] = await terminal.expect(/tty=(\S+) sid=\s*(\d+)\r/);
      expect(tty).to.match(/^pts\//);
      expect(sid).to.equal('1');
      await startCat();
      terminal.type('\x03');
      await terminal.expect(/ready> /);
      terminal.type('echo code $?\n');
      await terminal.expect(/code 130\r/);
      await startCat();
      terminal.type('\x1a');
      await terminal.expect(/Stopped/);
      await terminal.expect(/ready> /);
      terminal.type('fg\n');
      await terminal.expect(/fg\r\ncat\r/);
      await talkToCat();
      terminal.type('\x03');
      await terminal.expect(/ready> /);
      terminal.type('exit 7\n');
      expect(await jail.ended).to.deep.equal({ code: 7, signal: null });
    });

    it('ends when the terminal hangs up', async () => {
      terminal.close();
      expect((await jail.ended).code).to.be.oneOf([129, 0, 1]);
    });
  });
}

describe('native/jail command --session without a terminal', () => {
  it('says that it is the terminal that is missing', async () => {
    const control = new Channel();
    const jail = start(jailPath, ['command', '3', '--session', '--', 'true'], [control.theirs]);
    control.releaseTheirs();
    expect((await control.step())?.[0]).to.equal(Step.PID);
    expect(await control.step()).to.deep.equal([Step.TERMINAL, 25]);
    control.close();
    expect(await jail.ended).to.deep.equal({ code: 1, signal: null });
  });
});
