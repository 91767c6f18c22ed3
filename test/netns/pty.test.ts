/** An interactive command: a terminal of its own that behaves like the user's, and can't reach the user's. */
import { accessSync, constants, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { Key, Terminal } from '../support/driver.ts';
import { nameOf, tree } from '../support/processtable.ts';
import { gone, IDLER } from '../support/product.ts';
import { PRODUCT } from '../support/translator.ts';

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

const LEGACY_TIOCSTI = '/proc/sys/dev/tty/legacy_tiocsti';

/** What the user's terminal is like before, as a shell around the product sees it; and after. */
const MODES = `stty -g; "$0" "$@"; code=$?; stty -g; echo code=$code; exit $code`;

describe('netns: pty', function () {
  this.timeout(30_000);
  let terminal: Terminal;

  const open = (...words: string[]): Terminal => {
    terminal = new Terminal([PRODUCT, '--config-net', ...words]);
    return terminal;
  };
  const shell = (): Terminal => open('--', 'sh', '-i');

  afterEach(() => terminal.kill());

  it('runs the user’s shell as a login shell, whose status is ours', async () => {
    open();
    await terminal.see(/[#$] $/);
    terminal.type(`echo "name=$0"${Key.ENTER}`);
    await terminal.see(/name=-sh/);
    terminal.type(`exit 9${Key.ENTER}`);
    expect(await terminal.end()).to.equal(9);
  });

  it('has another terminal than the user, as the controlling one of a session of its own', async () => {
    shell();
    await terminal.see(/\$ $/);
    const ours = readlinkSync(`/proc/${terminal.pid}/fd/0`);
    terminal.type(`tty; cut -d" " -f6 /proc/self/stat; : < /dev/tty && echo has-tty${Key.ENTER}`);
    const [, theirs, session] = await terminal.see(/(\/dev\/pts\/\d+)\r\n(\d+)\r\nhas-tty/);
    expect(theirs).not.to.equal(ours);
    expect(session).to.equal('1');
  });

  it('knows the size, and every change of it', async () => {
    open('--', 'sh', '-c', `trap 'stty size' WINCH; stty size; while :; do sleep 0.02; done`);
    await terminal.see(/24 80/);
    terminal.resize(101, 33);
    await terminal.see(/33 101/);
    terminal.resize(64, 10);
    await terminal.see(/10 64/);
  });

  it('^C ends a command that is no shell and handles no signal, though it is the first process of its namespace', async () => {
    open('--', ...IDLER);
    await terminal.see(/ready/);
    terminal.type(Key.INTERRUPT);
    expect(await terminal.end()).to.equal(130);
  });

  it('^C is a byte like any other to a command in raw mode', async () => {
    open('--', 'sh', '-c', 'stty raw -echo; echo begun; head -c 1 | od -An -tx1');
    await terminal.see(/begun/);
    terminal.type(Key.INTERRUPT);
    await terminal.see(/ 03/);
    expect(await terminal.end()).to.equal(0);
  });

  it('^C interrupts the program in the foreground, and not the shell', async () => {
    shell();
    await terminal.see(/\$ $/);
    terminal.type(`sh -c 'echo begun; exec sleep 1000'${Key.ENTER}`);
    await terminal.see(/begun\r\n/);
    terminal.type(Key.INTERRUPT);
    await terminal.see(/\$ $/);
    terminal.type(`echo status=$?${Key.ENTER}`);
    await terminal.see(/status=130/);
  });

  it('^\\ quits the program in the foreground', async () => {
    shell();
    await terminal.see(/\$ $/);
    terminal.type(`sh -c 'echo begun; exec sleep 1000'${Key.ENTER}`);
    await terminal.see(/begun\r\n/);
    terminal.type(Key.QUIT);
    await terminal.see(/\$ $/);
    terminal.type(`echo status=$?${Key.ENTER}`);
    await terminal.see(/status=131/);
  });

  it('^Z stops the program, bg and fg continue it', async () => {
    shell();
    await terminal.see(/\$ $/);
    terminal.type(`sh -c 'echo begun; read line; echo "got $line"'${Key.ENTER}`);
    await terminal.see(/begun\r\n/);
    terminal.type(Key.SUSPEND);
    await terminal.see(/Stopped/);
    terminal.type(`jobs${Key.ENTER}`);
    await terminal.see(/Stopped/);
    terminal.type(`fg${Key.ENTER}`);
    await terminal.see(/begun/);
    terminal.type(`hello${Key.ENTER}`);
    await terminal.see(/got hello/);
  });

  it('^D is the end of the input, and of the shell', async () => {
    shell();
    await terminal.see(/\$ $/);
    terminal.type(`cat; echo cat-ended${Key.ENTER}`);
    terminal.type(`line${Key.ENTER}`);
    await terminal.see(/line\r\nline/);
    terminal.type(Key.END);
    await terminal.see(/cat-ended/);
    terminal.type(Key.END);
    expect(await terminal.end()).to.equal(0);
  });

  it('passes every byte untouched to a program in raw mode, and back', async () => {
    open('--', 'sh', '-c', 'stty raw -echo; echo begun; head -c 256 | od -An -v -tx1 | tr -d " \\n"; echo end');
    await terminal.see(/begun\n/);
    terminal.type(
      Array.from({ length: 128 }, (_, byte) => String.fromCharCode(byte))
        .join('')
        .repeat(2),
    );
    const [, hex] = await terminal.see(/([0-9a-f]{512})end/);
    expect(hex).to.equal(Buffer.from(Array.from({ length: 256 }, (_, index) => index % 128)).toString('hex'));
  });

  it('ends each line as one terminal would, not as two', async () => {
    open('--', 'sh', '-c', 'echo one; echo two');
    expect(await terminal.end()).to.equal(0);
    expect(terminal.shown).to.equal('one\r\ntwo\r\n');
  });

  it('shows all of a long output though the program ends behind it', async () => {
    open('--', 'sh', '-c', 'seq 1 200000; echo last');
    expect(await terminal.end()).to.equal(0);
    expect(terminal.shown.length).to.equal(200_000 * 2 + 1_088_895 + 'last\r\n'.length);
    expect(terminal.shown.endsWith('200000\r\nlast\r\n')).to.equal(true);
  });

  it('takes the modes of the user’s terminal along', async () => {
    terminal = new Terminal(['sh', '-c', 'stty erase "^H" intr "^X"; exec "$@"', 'sh', PRODUCT, '--config-net', '--', 'stty', '-a']);
    await terminal.end();
    expect(terminal.shown).to.contain('erase = ^H').and.to.contain('intr = ^X');
  });

  // With a pipe behind it the command shares the user's terminal.
  for (const pipe of ['', '| cat']) {
    it(`does not let the command push input into the user’s terminal, even where the kernel still lets anybody do so ${pipe}`, async function () {
      // Older kernels have no such setting, and root of a user namespace may not change it.
      if (!isWritable(LEGACY_TIOCSTI)) this.skip();
      const before = readFileSync(LEGACY_TIOCSTI, 'latin1');
      writeFileSync(LEGACY_TIOCSTI, '1');
      after(() => writeFileSync(LEGACY_TIOCSTI, before));
      const push = 'for my $fd (0..2) { open(my $h, "+<&=", $fd); for my $c (split //, "pushed\\n") { ioctl($h, 0x5412, $c) } }';
      const script = `"$0" --config-net -- perl -e "$1" ${pipe}; read -t 1 line || line=nothing; echo "got=$line"`;
      terminal = new Terminal(['bash', '-c', script, PRODUCT, push]);
      await terminal.see(/got=(\S*)/);
      expect(terminal.shown).not.to.match(/got=pushed/);
    });
  }

  describe('the user’s terminal is as before', () => {
    const around = (...words: string[]): Terminal => {
      terminal = new Terminal(['sh', '-c', MODES, PRODUCT, '--config-net', '--', ...words]);
      return terminal;
    };
    const expectRestored = async (): Promise<void> => {
      await terminal.see(/code=\d+/);
      const modes = terminal.shown.match(/[0-9a-f]+(:[0-9a-f]+){10,}/g) ?? [];
      expect(modes).to.have.length(2);
      expect(modes[1]).to.equal(modes[0]);
    };
    const supervisor = (): number => tree(terminal.pid).find((pid) => nameOf(pid) === 'pasta') as number;

    it('after the command has ended', async () => {
      around('true');
      await expectRestored();
    });

    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGSEGV'] as const) {
      it(`after ${signal}`, async () => {
        around(...IDLER);
        await terminal.see(/ready/);
        process.kill(supervisor(), signal);
        await expectRestored();
      });
    }

    it('after a crash of the worker, and the line about it is readable', async () => {
      around('sh', '-c', 'echo begun; exec sleep 1000');
      await terminal.see(/begun/);
      process.kill(tree(terminal.pid).find((pid) => nameOf(pid) === 'pasta.worker') as number, 'SIGKILL');
      await terminal.see(/pasta: the worker ended unexpectedly \(signal 9\)\r\n/);
      await expectRestored();
    });

    for (const signal of ['SIGKILL', 'SIGABRT'] as const) {
      it(`soon after ${signal}, which nothing can handle`, async () => {
        terminal = new Terminal([
          'sh',
          '-c',
          `before=$(stty -g); "$0" "$@"; until [ "$(stty -g)" = "$before" ]; do sleep 0.02; done; echo restored`,
          PRODUCT,
          '--config-net',
          '--',
          'sh',
          '-c',
          'echo begun; exec sleep 1000',
        ]);
        await terminal.see(/begun/);
        process.kill(supervisor(), signal);
        await terminal.see(/restored/);
      });
    }
  });

  it('leaves nothing behind when the user’s terminal is closed', async () => {
    shell();
    await terminal.see(/\$ $/);
    const everyone = tree(terminal.pid);
    expect(everyone.map(nameOf)).to.include.members(['pasta', 'pasta.worker', 'pasta.jail']);
    terminal.kill();
    await Promise.all(everyone.map((pid) => gone(pid)));
  });

  it('is not made when stdout is no terminal: the command gets what the user gave', async () => {
    terminal = new Terminal([
      'sh',
      '-c',
      '"$0" --config-net -- sh -c "test -t 0 && echo stdin-is-one; test -t 1 || echo stdout-is-none" | cat',
      PRODUCT,
    ]);
    await terminal.see(/stdin-is-one\r\nstdout-is-none/);
  });

  it('runs in the background of a shell without taking the terminal from it', async () => {
    terminal = new Terminal(['sh', '-c', 'set -m; "$0" --config-net -- echo from-behind & wait $!; echo "status=$?"', PRODUCT]);
    await terminal.see(/from-behind\r\nstatus=0/);
  });

  it('leaves a redirected stderr where it leads', async () => {
    terminal = new Terminal(['sh', '-c', 'e=$("$0" --config-net -- sh -c "echo err >&2; tty" 2>&1 >/dev/tty); echo "e=$e"', PRODUCT]);
    await terminal.see(/e=err/);
  });
});
