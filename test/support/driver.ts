/**
 * A user at a terminal: node-pty holds the terminal, types keys and looks at what comes.
 */
import { type IPty, spawn } from 'node-pty';

/** What the keys are. */
export const Key = { INTERRUPT: '\x03', END: '\x04', SUSPEND: '\x1a', QUIT: '\x1c', ENTER: '\r' } as const;

/** One terminal with one program in it. */
export class Terminal {
  readonly #pty: IPty;
  #shown = '';
  #from = 0;
  #ended: { exitCode: number; signal: number | undefined } | null = null;
  readonly #listeners = new Set<() => void>();

  /** Runs a program as an unprivileged user in a terminal of 80 × 24. */
  constructor(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#pty = spawn('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', '--pdeathsig=KILL', ...argv], {
      cols: 80,
      rows: 24,
      cwd: '/',
      env: {
        PATH: process.env.PATH as string,
        LC_ALL: 'C',
        HOME: '/nonexistent',
        TERM: 'dumb',
        PS1: '$ ',
        ENV: '',
        SHELL: '/bin/sh',
        ...env,
      },
    });
    this.#pty.onData((text) => {
      this.#shown += text;
      this.#tell();
    });
    this.#pty.onExit(({ exitCode, signal }) => {
      this.#ended = { exitCode, signal };
      this.#tell();
    });
  }

  get pid(): number {
    return this.#pty.pid;
  }

  /** Everything that was shown. */
  get shown(): string {
    return this.#shown;
  }

  type(keys: string): void {
    this.#pty.write(keys);
  }

  resize(columns: number, rows: number): void {
    this.#pty.resize(columns, rows);
  }

  /** Waits until `pattern` is shown, after what the last call has waited for. Rejects after 8 s. */
  async see(pattern: RegExp): Promise<RegExpMatchArray> {
    return await this.#wait(() => {
      const match = this.#shown.slice(this.#from).match(pattern);
      if (match !== null) this.#from += (match.index as number) + match[0].length;
      return match;
    }, String(pattern));
  }

  /** Waits for the end of the program; its exit code, 128 + signal where one ended it. */
  async end(): Promise<number> {
    const { exitCode, signal } = await this.#wait(() => this.#ended, 'the end');
    return signal ? 128 + signal : exitCode;
  }

  /** Ends the program whatever it does. */
  kill(): void {
    if (this.#ended === null) this.#pty.kill('SIGKILL');
  }

  #wait<T>(look: () => T | null, what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        const found = look();
        if (found === null) return;
        stop();
        resolve(found);
      };
      const stop = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(settle);
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`8 s passed without ${what}; shown: ${JSON.stringify(this.#shown.slice(-1500))}`));
      }, 8_000);
      this.#listeners.add(settle);
      settle();
    });
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
