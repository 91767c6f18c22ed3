/**
 * The host's log, for a run in the background that has no log file: datagrams to /dev/log, where journald or syslogd listens (RFC 3164 §4.1
 * as glibc's syslog(3) sends it, without a time of our own).
 *
 * Nothing waits: a line that finds the socket full is lost, and the next one that gets through says how many were. Where nobody listens
 * all are lost; each line tries again, so a daemon that is restarted is found.
 */
import type { Native } from '../native/supervisor.d.ts';
import { LogLevel } from '../shared/messages.ts';
import type { LogSink } from './log.ts';

const PATH = '/dev/log';
/** LOG_DAEMON (syslog.h). */
const FACILITY = 3 << 3;
const SEVERITIES = {
  [LogLevel.ERROR]: 3,
  [LogLevel.WARNING]: 4,
  [LogLevel.INFO]: 6,
  [LogLevel.DEBUG]: 7,
  [LogLevel.TRACE]: 7,
} as const;
const EAGAIN = 11;

type Calls = Pick<Native, 'localDatagram' | 'send' | 'close'>;

/** One connection to it. */
export class SystemLog implements LogSink {
  readonly #native: Calls;
  readonly #name: string;
  readonly #path: string;
  #socket = -1;
  #lost = 0;

  /** `name` is the program's; `path` is for tests. */
  constructor(native: Calls, name: string, path: string = PATH) {
    this.#native = native;
    this.#name = `${name}[${process.pid}]`;
    this.#path = path;
  }

  /** `text` is one printable line. */
  put(level: LogLevel, text: string): void {
    if (this.#lost > 0 && this.#send(LogLevel.WARNING, `${this.#lost} lines were lost: the log was busy, or nobody listened`))
      this.#lost = 0;
    if (!this.#send(level, text)) this.#lost++;
  }

  #send(level: LogLevel, text: string): boolean {
    const bytes = Buffer.from(`<${FACILITY | SEVERITIES[level]}>${this.#name}: ${text}`);
    // The second try is for a daemon that was restarted.
    for (let attempt = 0; attempt < 2; attempt++) {
      if (this.#socket < 0) this.#socket = this.#native.localDatagram(this.#path);
      if (this.#socket < 0) return false;
      const sent = this.#native.send(this.#socket, bytes);
      if (sent >= 0) return true;
      if (sent === -EAGAIN) return false;
      this.#native.close(this.#socket);
      this.#socket = -1;
    }
    return false;
  }
}
