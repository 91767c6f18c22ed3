/**
 * Sockets in any namespace, driven and watched by a test: an Endpoint is a process there (endpoint_process.ts) that does what it is told
 * and tells what happened. Accepted connections wait (are paused) until `resume`, so that a test decides when data is read.
 */
import { fileURLToPath } from 'node:url';
import { type RunOptions, type Running, start } from './processes.ts';

export interface Event {
  readonly id: number;
  readonly event: string;
  readonly bytes?: number;
  readonly good?: boolean;
  readonly code?: string;
  readonly from?: string;
  readonly port?: number;
  readonly size?: number;
  readonly on?: number;
}

export interface Socket {
  readonly id: number;
  /** Sends so many bytes of the sequence; resolves when the kernel has taken them all. */
  send(bytes: number, milliseconds?: number): Promise<Event>;
  /** Ends our direction (FIN). */
  end(): void;
  /** Ends both at once (RST). */
  reset(): void;
  /** Stops and starts reading. */
  pause(): void;
  resume(): void;
  /** The next (or an earlier, not yet taken) event of a kind: data, end, error, close, sent. */
  event(kind: string, milliseconds?: number): Promise<Event>;
  /** Resolves when so many bytes have come in; rejects when they were not those that were sent. */
  received(bytes: number, milliseconds?: number): Promise<void>;
}

export interface DatagramSocket {
  readonly id: number;
  readonly port: number;
  /** Sends one datagram of `size` bytes. */
  send(address: string, port: number, size: number): void;
  /** The next datagram. */
  message(milliseconds?: number): Promise<Event>;
  event(kind: string, milliseconds?: number): Promise<Event>;
  close(): void;
}

export interface Listener {
  /** The next connection, paused. */
  accept(milliseconds?: number): Promise<Socket & { readonly from: string }>;
  close(): void;
}

export interface Endpoint {
  readonly process: Running;
  /** Rejects with the error's code in the message when the connection fails. */
  connect(address: string, port: number, milliseconds?: number): Promise<Socket>;
  listen(address: string, port: number): Promise<Listener>;
  open(address: string, port?: number): Promise<DatagramSocket>;
  stop(): Promise<void>;
}

type Wanted = (event: Event) => boolean;

/** The events of one process: kept until taken, so that a test may look for them in any order. */
function eventQueue(running: Running): (wanted: Wanted, what: string, milliseconds: number) => Promise<Event> {
  const kept: Event[] = [];
  const waiting = new Set<{ wanted: Wanted; resolve: (event: Event) => void }>();
  let rest = '';
  running.child.stdout?.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const event: Event = JSON.parse(line);
      const waiter = [...waiting].find((one) => one.wanted(event));
      if (waiter) {
        waiting.delete(waiter);
        waiter.resolve(event);
      } else kept.push(event);
    }
  });
  return (wanted, what, milliseconds) => {
    const index = kept.findIndex(wanted);
    if (index >= 0) return Promise.resolve(kept.splice(index, 1)[0] as Event);
    return new Promise((resolve, reject) => {
      const waiter = { wanted, resolve: settle };
      const timer = setTimeout(() => {
        waiting.delete(waiter);
        reject(new Error(`no ${what} within ${milliseconds} ms; kept: ${JSON.stringify(kept.slice(-5))} ${running.stderr().slice(-500)}`));
      }, milliseconds);
      function settle(event: Event): void {
        clearTimeout(timer);
        resolve(event);
      }
      waiting.add(waiter);
    });
  };
}

/** Starts an endpoint; options say where (`namespace`) and as whom. */
export async function startEndpoint(options: RunOptions): Promise<Endpoint> {
  const script = fileURLToPath(new URL('endpoint_process.ts', import.meta.url));
  const running = start([process.execPath, '--disable-warning=ExperimentalWarning', script], { timeout: 600_000, ...options });
  const next = eventQueue(running);
  let numbers = 0;
  const tell = (command: Record<string, unknown>): void => void running.child.stdin?.write(`${JSON.stringify(command)}\n`);
  const of = (id: number, kind: string, milliseconds = 10_000): Promise<Event> =>
    next((event) => event.id === id && event.event === kind, `${kind} of socket ${id}`, milliseconds);

  function socket(id: number): Socket {
    return {
      id,
      send(bytes, milliseconds = 60_000) {
        tell({ do: 'send', id, bytes });
        return of(id, 'sent', milliseconds);
      },
      end: () => tell({ do: 'end', id }),
      reset: () => tell({ do: 'reset', id }),
      pause: () => tell({ do: 'pause', id }),
      resume: () => tell({ do: 'resume', id }),
      event: (kind, milliseconds) => of(id, kind, milliseconds),
      async received(bytes, milliseconds = 60_000) {
        const wanted: Wanted = (event) =>
          event.id === id && event.event === 'data' && ((event.bytes ?? 0) >= bytes || event.good === false);
        const event = await next(wanted, `${bytes} bytes at socket ${id}`, milliseconds);
        if (event.good !== true || event.bytes !== bytes) throw new Error(`wanted ${bytes} bytes as sent, got ${JSON.stringify(event)}`);
      },
    };
  }

  await next((event) => event.event === 'ready', 'ready', 10_000);
  return {
    process: running,
    async connect(address, port, milliseconds = 10_000) {
      const id = ++numbers;
      tell({ do: 'connect', id, address, port });
      const wanted: Wanted = (event) => event.id === id && (event.event === 'connected' || event.event === 'error');
      const event = await next(wanted, `answer from ${address} port ${port}`, milliseconds);
      if (event.event === 'error') throw new Error(`connect to ${address} port ${port}: ${event.code}`);
      return socket(id);
    },
    async listen(address, port) {
      const id = ++numbers;
      tell({ do: 'listen', id, address, port });
      const event = await next((one) => one.id === id && (one.event === 'listening' || one.event === 'error'), 'listening', 10_000);
      if (event.event === 'error') throw new Error(`listen on ${address} port ${port}: ${event.code}`);
      return {
        async accept(milliseconds = 10_000) {
          const taken = await next((one) => one.event === 'accepted' && one.on === id, `connection on port ${port}`, milliseconds);
          return { ...socket(taken.id), from: taken.from ?? '' };
        },
        close: () => tell({ do: 'close', id }),
      };
    },
    async open(address, port = 0) {
      const id = ++numbers;
      tell({ do: 'open', id, address, port });
      const event = await of(id, 'bound');
      return {
        id,
        port: event.port ?? 0,
        send: (to, toPort, size) => tell({ do: 'datagram', id, address: to, port: toPort, size }),
        message: (milliseconds) => of(id, 'message', milliseconds),
        event: (kind, milliseconds) => of(id, kind, milliseconds),
        close: () => tell({ do: 'close', id }),
      };
    },
    async stop() {
      running.child.stdin?.end();
      await running.stop('SIGKILL');
    },
  };
}
