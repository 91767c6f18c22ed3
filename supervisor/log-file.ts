/**
 * The log file of one run (`--log-file`, `--log-size`).
 *
 * Theory of operation. The file is opened once, before anything is started, and never again: where it lies may not be reachable later. A
 * line that would make it larger than its limit first makes room: the oldest third is cut in place, whole lines, and a line says so behind
 * the first one, which names the program. Who reads along (`tail -F`) sees the file shrink, as with any file that is truncated. What can't
 * be written, on a full disk for instance, is lost: a log must not end the network of a guest.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { LogLevel } from '../shared/messages.ts';
import type { LogSink } from './log.ts';
import { UsageError } from './usage-error.ts';

/** The share of the file that is cut. */
const CUT = 0.3;
/** What is moved at once. */
const BLOCK = 65_536;
const NEWLINE = 10;

const TAGS = {
  [LogLevel.ERROR]: 'ERROR:   ',
  [LogLevel.WARNING]: 'WARNING: ',
  [LogLevel.INFO]: 'info:    ',
  [LogLevel.DEBUG]: '         ',
  [LogLevel.TRACE]: '         ',
} as const;

/** One open file. */
export class LogFile implements LogSink {
  readonly #descriptor: number;
  readonly #limit: number;
  readonly #header: Buffer;
  readonly #seconds: () => number;
  /** A terminal, a pipe or a device has no size. */
  readonly #isRegular: boolean;

  /**
   * Makes or empties the file, which only its owner may read. `limit` in bytes; `header` is its first line, which stays; `seconds` since
   * the start.
   * @throws UsageError
   */
  constructor(path: string, limit: number, header: string, seconds: () => number = () => process.uptime()) {
    try {
      this.#descriptor = openSync(path, 'w+', 0o600);
      this.#header = Buffer.from(`${header}\n`);
      writeSync(this.#descriptor, this.#header);
    } catch (error) {
      throw new UsageError(`cannot make the log file '${path}' (${(error as Error).message}); give --log-file another path`);
    }
    this.#isRegular = fstatSync(this.#descriptor).isFile();
    this.#limit = limit;
    this.#seconds = seconds;
  }

  /** `text` is one printable line. */
  put(level: LogLevel, text: string): void {
    try {
      const line = this.#line(level, text);
      // Asked for each time: somebody else may have truncated it.
      if (this.#isRegular && this.#size() + line.length > this.#limit) this.#makeRoom();
      this.#writeAt(line, this.#isRegular ? this.#size() : null);
    } catch {
      // See above.
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #line(level: LogLevel, text: string): Buffer {
    return Buffer.from(`${this.#seconds().toFixed(4)}: ${TAGS[level]}${text}\n`);
  }

  #size(): number {
    return fstatSync(this.#descriptor).size;
  }

  #writeAt(bytes: Uint8Array, at: number | null): void {
    writeSync(this.#descriptor, bytes, 0, bytes.length, at);
  }

  #makeRoom(): void {
    const head = Buffer.concat([this.#header, this.#line(LogLevel.INFO, `the oldest lines were cut: the limit is ${this.#limit} bytes`)]);
    let from = this.#lineAfter(Math.max(Math.floor(this.#size() * CUT), head.length));
    let to = head.length;
    const block = Buffer.alloc(BLOCK);
    for (;;) {
      const length = readSync(this.#descriptor, block, 0, BLOCK, from);
      if (length === 0) break;
      writeSync(this.#descriptor, block, 0, length, to);
      from += length;
      to += length;
    }
    this.#writeAt(head, 0);
    ftruncateSync(this.#descriptor, to);
  }

  /** Where the first line begins that begins behind `at`; the end of the file when none does. */
  #lineAfter(at: number): number {
    const block = Buffer.alloc(BLOCK);
    for (let from = at; ; ) {
      const length = readSync(this.#descriptor, block, 0, BLOCK, from);
      if (length === 0) return from;
      const found = block.subarray(0, length).indexOf(NEWLINE);
      if (found >= 0) return from + found + 1;
      from += length;
    }
  }
}
