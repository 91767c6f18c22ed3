/**
 * The terminal of an interactive command: a pseudo-terminal of its own, and the relay between it and the user's terminal.
 *
 * Theory of operation. The command must not hold the user's terminal: whoever has it as its controlling terminal can push input into it
 * (TIOCSTI) that the user's shell would run later. So node-pty makes a pair, the command gets the slave as 0, 1 and 2 and as the
 * controlling terminal of a new session (its jail sees to that), and this side copies bytes, untouched, between the master and the user's
 * terminal, which is in raw mode meanwhile. Neither side is read while the other can't take more.
 *
 * The user's terminal is put back on every way out that can be handled. For those that can't (SIGKILL, a crash of the runtime) there is a
 * guard: a shell that waits on a socket, and restores the modes when that closes without a word and the terminal is still as we set it.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { isatty, ReadStream } from 'node:tty';
import type { Native } from '../native/supervisor.d.ts';

/** What is used of node-pty: its native half (native/out/pty.node), since the processes are started by jail and not by its fork. */
interface NodePty {
  open(columns: number, rows: number): { master: number; slave: number; pty: string };
  resize(master: number, columns: number, rows: number): void;
}

/** How long output of a command that has ended may take to arrive when something else still holds its terminal. */
const QUIET_MS = 100;
/** How long the user's terminal may take to show the last output. */
const FLUSH_MS = 2_000;
/** How long the guard may take to read the modes. */
const GUARD_MS = 1_000;

/** A line for the guard in one datagram; a shell reads byte by byte, and the rest of a longer datagram would be lost. */
const NEXT = Buffer.from('\n');

/** 3 is the socket. It is told when the terminal is raw and when it is restored. */
const GUARD = `trap '' HUP INT QUIT TERM TSTP TTIN TTOU
usual=$(stty -g) || exit
echo >&3
read line <&3 || exit
raw=$(stty -g)
read line <&3 || { [ "$(stty -g)" = "$raw" ] && stty "$usual"; }`;

/** One pseudo-terminal and its relay. */
export class Terminal {
  readonly #pty: NodePty;
  readonly #native: Native;
  readonly #master: ReadStream;
  readonly #masterFd: number;
  readonly #guard: number;
  readonly #modes: Uint8Array;
  readonly #input: ReadStream;
  readonly #output: ReadStream;
  #slave: number;
  #raw = false;
  #hungUp: Promise<void>;

  /** The guard's program, for whoever starts processes. */
  static readonly GUARD_WORDS: readonly string[] = ['sh', '-c', GUARD];

  /**
   * Makes the pair, of the size of the user's terminal, and starts the guard with `startGuard(descriptors)`.
   * @throws Error when there is no pseudo-terminal left.
   */
  constructor(native: Native, root: string, startGuard: (descriptors: readonly number[]) => void) {
    this.#native = native;
    this.#pty = process.getBuiltinModule('node:module').createRequire(`${root}/package.json`)('./native/out/pty.node') as NodePty;
    this.#input = new ReadStream(0);
    // A ReadStream and not a WriteStream, whose writes block: a terminal that is stuck must not stop the supervisor.
    this.#output = new ReadStream(1);
    const modes = native.terminalModes(0);
    if (typeof modes === 'number') {
      throw new Error(`the terminal's modes can't be read (errno ${-modes})`);
    }
    this.#modes = modes;
    const pair = this.#pty.open(...this.#userSize());
    closeSync(pair.slave);
    this.#masterFd = pair.master;
    this.#master = new ReadStream(pair.master);
    // node-pty's slave is non-blocking, which the command would inherit.
    this.#slave = openSync(pair.pty, constants.O_RDWR | constants.O_NOCTTY);
    native.setTerminalModes(this.#slave, modes);
    this.#hungUp = new Promise((resolve) => {
      this.#master.once('error', () => resolve());
      this.#master.once('close', () => resolve());
    });
    const [ours, theirs] = native.socketPair();
    this.#guard = ours;
    native.setBlocking(theirs);
    startGuard([0, this.#slave, this.#slave, theirs]);
    native.close(theirs);
  }

  /** Standard descriptors for the command; stderr stays the user's where that isn't a terminal. */
  descriptors(): [number, number, number] {
    return [this.#slave, this.#slave, isatty(2) ? this.#slave : 2];
  }

  /**
   * The command has its terminal: gives up our copy, and starts the relay. `interrupted` is called when the user has typed the key that
   * interrupts, and the command's terminal takes it for that.
   */
  start(interrupted: () => void): void {
    this.#native.waitReadable(this.#guard, GUARD_MS);
    closeSync(this.#slave);
    this.#slave = -1;
    this.#makeRaw();
    this.#native.sendWithDescriptors(this.#guard, NEXT, []);
    pump(this.#input, this.#master);
    this.#input.on('data', (chunk: Buffer) => {
      if (this.#isInterrupt(chunk)) {
        interrupted();
      }
    });
    pump(this.#master, this.#output);
    this.#input.on('error', () => this.#input.destroy());
    this.#output.on('error', () => this.#output.destroy());
    process.on('SIGWINCH', () => this.#resize());
    process.on('SIGTSTP', () => this.#suspend());
  }

  /** Resolves when the last output of a command that has ended is on the user's terminal. */
  async finish(): Promise<void> {
    this.#input.pause();
    await Promise.race([this.#hungUp, this.#quiet()]);
    await Promise.race([this.#flushed(), delay(FLUSH_MS)]);
  }

  /** Puts the user's terminal back as it was. May be called at any time, and again. */
  restore(): void {
    if (this.#raw) {
      this.#raw = false;
      this.#native.setTerminalModes(0, this.#modes);
      this.#native.sendWithDescriptors(this.#guard, NEXT, []);
    }
  }

  #makeRaw(): void {
    this.#raw = this.#native.setTerminalRaw(0, this.#modes) === 0;
  }

  /** struct termios of the master is the slave's: c_lflag is the fourth word, c_cc follows the byte after it. */
  #isInterrupt(chunk: Buffer): boolean {
    const ISIG = 1;
    const LOCAL_FLAGS = 12;
    const VINTR = 17;
    const modes = this.#master.destroyed ? 0 : this.#native.terminalModes(this.#masterFd);
    return typeof modes !== 'number' && ((modes[LOCAL_FLAGS] as number) & ISIG) !== 0 && chunk.includes(modes[VINTR] as number);
  }

  /** Stopped from outside (kill -TSTP): the shell gets its terminal back as it was, and we take it again when we may go on. */
  #suspend(): void {
    if (this.#raw) {
      this.#native.setTerminalModes(0, this.#modes);
      process.once('SIGCONT', () => {
        if (this.#raw) {
          this.#makeRaw();
          this.#resize();
        }
      });
    }
    process.kill(process.pid, 'SIGSTOP');
  }

  /** Columns and rows; some terminals don't know theirs. */
  #userSize(): [number, number] {
    const size = this.#native.terminalSize(1);
    const columns = size >> 16;
    const rows = size & 0xffff;
    return size <= 0 || columns === 0 || rows === 0 ? [80, 24] : [columns, rows];
  }

  #resize(): void {
    if (!this.#master.destroyed) {
      this.#pty.resize(this.#masterFd, ...this.#userSize());
    }
  }

  /** Nothing has come from the command for a while. */
  #quiet(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, QUIET_MS);
      this.#master.on('data', () => timer.refresh());
    });
  }

  #flushed(): Promise<void> {
    if (this.#output.destroyed || this.#output.writableLength === 0) {
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#output.write('', () => resolve()));
  }
}

/** Copies what `from` gives to `to`, at the pace of the slower. */
function pump(from: ReadStream, to: ReadStream): void {
  from.on('data', (chunk: Buffer) => {
    if (!to.destroyed && !to.write(chunk)) {
      from.pause();
      to.once('drain', () => from.resume());
    }
  });
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
