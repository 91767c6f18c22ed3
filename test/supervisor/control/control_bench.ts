/**
 * A control socket in a folder of its own, over a table that takes what it is given, and clients that can misbehave.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { type Socket, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLIENT_MS } from '../../../supervisor/control/reception.ts';
import { ControlServer } from '../../../supervisor/control/server.ts';
import { describeRule, type Enabled } from '../../../supervisor/forwarding/rule.ts';
import { EMPTY_TABLE, type ForwardingTable } from '../../../supervisor/forwarding/table.ts';
import { native } from '../../native/rooms.ts';

export const ALL: Enabled = { ipv4: true, ipv6: true, tcp: true, udp: true, scan: true };

/** A server and what it has done. */
export class ControlBench {
  readonly folder = mkdtempSync(join(tmpdir(), 'control-'));
  readonly path = join(this.folder, 'socket');
  readonly lines: string[] = [];
  readonly server: ControlServer;
  /** What accept() gives before clients come: −errno. */
  readonly accepts: number[] = [];
  /** Whether a process may not ask. */
  isRefused: (pid: number) => boolean = () => false;
  enabled = ALL;
  table: ForwardingTable = EMPTY_TABLE;
  /** Called in place of taking a table. */
  refuse: (table: ForwardingTable) => Promise<string | null> = async () => null;
  #changed: (() => void)[] = [];
  #clients: Socket[] = [];

  /** How long the next client may take, ms. */
  patience = CLIENT_MS;

  constructor() {
    const log = {
      info: (line: string) => this.#tell(`info: ${line}`),
      warning: (line: string) => this.#tell(`warning: ${line}`),
    };
    const bench = this;
    const forwarding = {
      get enabled() {
        return bench.enabled;
      },
      current: () => this.table,
      apply: async (table: ForwardingTable) => {
        const refusal = await this.refuse(table);
        if (refusal === null) this.table = table;
        return refusal;
      },
    };
    const parts = {
      native: { ...native, localAccept: (listener: number) => bench.accepts.shift() ?? native.localAccept(listener) },
      log,
      uid: process.geteuid?.() as number,
      isRefused: (pid: number) => bench.isRefused(pid),
      get clientMs() {
        return bench.patience;
      },
    };
    this.server = new ControlServer(parts, this.path);
    this.server.serve(forwarding);
  }

  #tell(line: string): void {
    this.lines.push(line);
    for (const look of this.#changed) look();
  }

  /** Resolves when a line of the log matches. */
  logged(pattern: RegExp): Promise<string> {
    return new Promise((resolve) => {
      const look = (): void => {
        const line = this.lines.find((candidate) => pattern.test(candidate));
        if (line !== undefined) resolve(line);
      };
      this.#changed.push(look);
      look();
    });
  }

  /** The rules in force, for people. */
  shown(): string[] {
    return [...this.table.host, ...this.table.guest].map(describeRule);
  }

  /** A client that is connected, or is waiting to be. */
  connect(): Client {
    const socket = connect({ path: this.path, allowHalfOpen: true });
    this.#clients.push(socket);
    return new Client(socket);
  }

  close(): void {
    for (const socket of this.#clients) socket.destroy();
    this.server.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A client that says what it wants. */
export class Client {
  readonly socket: Socket;
  /** All that came until the server closed. */
  readonly all: Promise<Uint8Array>;
  #bytes = Buffer.alloc(0);
  #changed: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    this.all = new Promise((resolve) => {
      socket.on('close', () => resolve(this.#bytes));
      socket.on('end', () => socket.destroy());
    });
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes]);
      this.#changed();
    });
  }

  /** Resolves with what `decode` gives when enough has come. */
  greeted<Result>(decode: (bytes: Uint8Array) => { readonly result: Result } | { readonly needs: number }): Promise<Result> {
    return new Promise((resolve) => {
      this.#changed = () => {
        const decoded = decode(this.#bytes);
        if ('result' in decoded) resolve(decoded.result);
      };
      this.#changed();
    });
  }
}
