/**
 * What people are told: one line per fact, on stderr until a run goes into the background, and in a log file or the host's log.
 *
 * Errors and warnings are `pasta: TEXT`, the start-up banner is bare text. A run with --debug or --trace goes through bunyan instead, every
 * line with the seconds since start; bunyan is loaded with the first such line. A line that a compromised worker causes can hold no text
 * of its choice:
 * the worker names a message and integers, the text is made here, and lines up to level INFO are limited in number.
 */
import { writeSync } from 'node:fs';
import type Bunyan from 'bunyan';
import { formatAddress, formatMac } from '../shared/addresses.ts';
import { LogLevel, MessageId } from '../shared/messages.ts';
import { printable } from './usage-error.ts';

/** Lines of the worker, of level INFO and more severe, that one second may bring. */
const WORKER_LINES_PER_SECOND = 10;

const BUNYAN_LEVEL = {
  [LogLevel.ERROR]: 50,
  [LogLevel.WARNING]: 40,
  [LogLevel.INFO]: 30,
  [LogLevel.DEBUG]: 20,
  [LogLevel.TRACE]: 10,
} as const;

const PROTOCOL_NAMES: Readonly<Record<number, string>> = { 1: 'ICMP', 6: 'TCP', 17: 'UDP', 58: 'ICMPv6' };

/** What a connection was ended for, and the option that changes it, by TcpLimit. */
const LIMITS: readonly string[] = [
  'it was inactive for too long',
  'the far end did not answer',
  'the guest did not answer our SYN within --tcp-handshake-timeout',
  'it carried nothing for as long as --tcp-idle-timeout',
  'one end had closed, and it carried nothing for as long as --tcp-half-closed-timeout',
  'the guest answered nothing for nine times --tcp-keepalive',
];

/** What happened to the guest's address, by type of message; 0 is BOOTP. */
const DHCP_EVENTS: Readonly<Record<number, string>> = {
  0: 'BOOTP reply with',
  2: 'offered',
  4: 'the client says that somebody else has',
  5: 'acknowledged',
  6: 'refused another address than',
  7: 'released',
};

/** The same by DHCPv6: by type of the client's message, 2 = refused. */
const DHCPV6_EVENTS: Readonly<Record<number, string>> = {
  1: 'offered',
  2: 'refused another address or way than',
  3: 'assigned',
  4: 'confirmed',
  5: 'renewed',
  6: 'renewed for a client that asked every server',
  8: 'released',
  9: 'the client says that somebody else has',
  11: 'parameters for a client that may have',
};

/** What a connection lacked, by Stall. */
const STALLS: readonly string[] = ['something', 'a timer', 'a retransmission', 'an ACK', 'a turn to send', 'its end', 'an event'];

/** Another place that lines go to, without the program's name. */
export interface LogSink {
  /** `text` is printable. Throws nothing, and waits for nobody. */
  put(level: LogLevel, text: string): void;
}

/** The log of one run. */
export class Log {
  readonly #name: string;
  readonly #level: LogLevel;
  #write: ((text: string) => void) | null;
  readonly #sinks: LogSink[] = [];
  readonly #root: string;
  #structured: Bunyan | null = null;
  /** A terminal in raw mode needs the carriage return too. */
  newline: '\n' | '\r\n' = '\n';
  #second = 0;
  #lines = 0;
  #suppressed = 0;

  /**
   * `name` is the program's; `root` the project's directory, from where bunyan is loaded; `write` takes whole lines, for tests.
   */
  constructor(name: string, level: LogLevel, root: string, write: (text: string) => void = writeToStderr) {
    this.#name = name;
    this.#level = level;
    this.#write = write;
    this.#root = root;
  }

  get level(): LogLevel {
    return this.#level;
  }

  /** Lines go there too from now on. */
  addSink(sink: LogSink): void {
    this.#sinks.push(sink);
  }

  /** Nothing is written to stderr any more: it is somebody else's. */
  leaveStderr(): void {
    this.#write = null;
  }

  error(text: string): void {
    this.#put(LogLevel.ERROR, text);
  }

  warning(text: string): void {
    this.#put(LogLevel.WARNING, text);
  }

  info(text: string): void {
    this.#put(LogLevel.INFO, text);
  }

  debug(text: string): void {
    this.#put(LogLevel.DEBUG, text);
  }

  /** A message of the worker: `level` and `message` were checked by the channel. */
  fromWorker(level: LogLevel, message: number, values: readonly number[], now: number = Date.now()): void {
    if (level <= LogLevel.INFO && !this.#admits(now)) {
      return;
    }
    this.#put(level, workerText(message, values));
  }

  #admits(now: number): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      if (this.#suppressed > 0) {
        this.#put(LogLevel.WARNING, `${this.#suppressed} lines of the worker were suppressed`);
      }
      this.#second = second;
      this.#lines = 0;
      this.#suppressed = 0;
    }
    if (this.#lines < WORKER_LINES_PER_SECOND) {
      this.#lines++;
      return true;
    }
    this.#suppressed++;
    return false;
  }

  #put(level: LogLevel, text: string): void {
    if (level > this.#level) {
      return;
    }
    for (const sink of this.#sinks) sink.put(level, printable(text));
    const write = this.#write;
    if (write === null) return;
    const named = level <= LogLevel.WARNING ? `${this.#name}: ${text}` : text;
    if (this.#level < LogLevel.DEBUG) {
      write(printable(named) + this.newline);
      return;
    }
    const put = { 50: 'error', 40: 'warn', 30: 'info', 20: 'debug', 10: 'trace' } as const;
    this.#structured ??= this.#openStructured(write);
    this.#structured[put[BUNYAN_LEVEL[level]]](named);
  }

  #openStructured(write: (text: string) => void): Bunyan {
    // A module that only this needs.
    const { createRequire } = process.getBuiltinModule('node:module');
    const bunyan = createRequire(`${this.#root}/package.json`)('./dist/bunyan.cjs') as typeof Bunyan;
    const human = {
      write: (record: { msg: string }) => {
        write(`${process.uptime().toFixed(4).padStart(8)}: ${printable(record.msg)}${this.newline}`);
      },
    };
    return bunyan.createLogger({
      name: this.#name,
      streams: [{ type: 'raw', level: BUNYAN_LEVEL[this.#level], stream: human as unknown as NodeJS.WritableStream }],
    });
  }
}

function writeToStderr(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // A closed or full stderr must not end the network of a guest.
  }
}

/** The text of a worker's message: shared/messages.ts. */
export function workerText(message: number, values: readonly number[]): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = values;
  switch (message) {
    case MessageId.FLOW_LIMIT:
      return `${a} flows are open, the limit is ${b}: new ones are refused; raise 'ulimit -n' if that is the limit`;
    case MessageId.PING_REFUSED:
      return `the guest can't ping (errno ${a}): put the user's group into the sysctl net.ipv4.ping_group_range`;
    case MessageId.TAP_FAILED:
      return `the guest's interface failed (errno ${a})`;
    case MessageId.TAP_GONE:
      return "the guest's interface is gone";
    case MessageId.FLOW_ENDED:
      return `flow ${b} ended: ${protocolName(a)} guest port ${c}, far port ${d}${e === 0 ? '' : `, errno ${e}`}`;
    case MessageId.FLOW_BEGAN:
      return `flow ${b} began: ${protocolName(a)} guest port ${c}, far port ${d}`;
    case MessageId.FRAME_IN:
      return `from guest: ${a} bytes, type 0x${b.toString(16)}`;
    case MessageId.FRAME_OUT:
      return `to guest: ${a} bytes, type 0x${b.toString(16)}`;
    case MessageId.GUEST_MAC:
      return `the guest's MAC is ${values
        .slice(0, 6)
        .map((byte) => (byte & 0xff).toString(16).padStart(2, '0'))
        .join(':')}`;
    case MessageId.TCP_EXPIRED:
      return `the connection from guest port ${b >>> 16} to ${addressOf(values.slice(2, 6))} port ${b & 0xffff} was ended: ${LIMITS[a] ?? LIMITS[0]}`;
    case MessageId.STALL_REPAIRED:
      return `a stalled connection (${b >>> 16} to ${b & 0xffff}) lacked ${STALLS[a] ?? STALLS[0]}, and goes on; ${c} so far: please report this`;
    case MessageId.MEMBERSHIP:
      return `the guest has ${a === 1 ? 'joined' : 'left'} the group ${addressOf(values.slice(2, 6))}; it is in ${b} now`;
    case MessageId.CAPTURE_ENDED:
      return `what is captured can't be written any more (errno ${a}): the capture has ended, the guest's network goes on`;
    case MessageId.DHCP:
      return `DHCP: ${DHCP_EVENTS[a] ?? DHCP_EVENTS[0]} ${addressOf([0, 0, 0xffff, b])}, client ${formatMac(macOf(c, d))}`;
    case MessageId.DHCPV6:
      return `DHCPv6: ${DHCPV6_EVENTS[a >>> 16] ?? 'something about'} ${addressOf(values.slice(2, 6))}, client ${formatMac(macOf(a & 0xffff, b))}`;
    default:
      return `message ${message} (${values.join(' ')})`;
  }
}

/** Two bytes and four bytes, as the worker has them. */
function macOf(high: number, low: number): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(6));
  bytes.setInt16(0, high);
  bytes.setInt32(2, low);
  return new Uint8Array(bytes.buffer);
}

/** Four big-endian words of an address, as the worker has them. */
function addressOf(words: readonly number[]): string {
  const bytes = new DataView(new ArrayBuffer(16));
  words.forEach((word, index) => bytes.setInt32(4 * index, word));
  return formatAddress(new Uint8Array(bytes.buffer));
}

function protocolName(protocol: number): string {
  return PROTOCOL_NAMES[protocol] ?? `protocol ${protocol}`;
}
