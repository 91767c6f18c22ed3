/**
 * One end of sockets under a test's control, in whatever namespace it is started: takes commands as JSON lines, tells events as JSON lines.
 * Tests use it through endpoint.ts.
 *
 * Theory of operation. Sockets have numbers given by the test. Data is a fixed sequence of bytes of a prime period, so that a lost, doubled
 * or moved piece does not go unseen; what comes is compared at once and never kept. A receiver can be told to wait (`pause`): then its window closes.
 */
import dgram from 'node:dgram';
import net from 'node:net';
import readline from 'node:readline';

const PERIOD = 1_048_573;
const sequence = Buffer.alloc(PERIOD * 2);
for (let i = 0, state = 12_345; i < PERIOD; i++) {
  state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
  sequence[i] = state >> 16;
  sequence[i + PERIOD] = state >> 16;
}

interface Command {
  do: string;
  id: number;
  address: string;
  port: number;
  bytes: number;
  text: string;
  size: number;
}

const sockets = new Map<number, net.Socket>();
const servers = new Map<number, net.Server>();
const datagrams = new Map<number, dgram.Socket>();

function tell(event: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

function same(data: Buffer, offset: number): boolean {
  for (let done = 0; done < data.length; ) {
    const from = (offset + done) % PERIOD;
    const length = Math.min(data.length - done, PERIOD);
    if (sequence.compare(data, done, done + length, from, from + length) !== 0) return false;
    done += length;
  }
  return true;
}

function adopt(id: number, socket: net.Socket): void {
  let received = 0;
  let good = true;
  sockets.set(id, socket);
  socket.setNoDelay(true);
  socket.on('data', (data) => {
    good &&= same(data, received);
    received += data.length;
    tell({ id, event: 'data', bytes: received, good });
  });
  socket.on('end', () => tell({ id, event: 'end', bytes: received, good }));
  socket.on('error', (error) => tell({ id, event: 'error', code: (error as NodeJS.ErrnoException).code, bytes: received }));
  socket.on('close', () => {
    tell({ id, event: 'close', bytes: received, good });
    sockets.delete(id);
  });
}

function send(id: number, bytes: number): void {
  const socket = sockets.get(id);
  if (!socket) return tell({ id, event: 'error', code: 'GONE' });
  let sent = 0;
  const more = (): void => {
    while (sent < bytes) {
      const from = sent % PERIOD;
      const length = Math.min(65_536, bytes - sent);
      sent += length;
      if (!socket.write(sequence.subarray(from, from + length))) {
        socket.once('drain', more);
        return;
      }
    }
    socket.write('', () => tell({ id, event: 'sent', bytes }));
  };
  more();
}

function listen(command: Command): void {
  let accepted = 0;
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    const id = command.id * 100_000 + ++accepted;
    adopt(id, socket);
    tell({ id, event: 'accepted', on: command.id, from: socket.remoteAddress, port: socket.remotePort });
  });
  servers.set(command.id, server);
  server.on('error', (error) => tell({ id: command.id, event: 'error', code: (error as NodeJS.ErrnoException).code }));
  server.listen({ host: command.address, port: command.port, backlog: 4096 }, () => tell({ id: command.id, event: 'listening' }));
}

function openDatagrams(command: Command): void {
  const socket = dgram.createSocket({ type: command.address.includes(':') ? 'udp6' : 'udp4' });
  datagrams.set(command.id, socket);
  socket.on('error', (error) => tell({ id: command.id, event: 'error', code: (error as NodeJS.ErrnoException).code }));
  socket.on('message', (data, from) =>
    tell({ id: command.id, event: 'message', size: data.length, good: same(data, 0), from: from.address, port: from.port }),
  );
  socket.bind({ address: command.address, port: command.port }, () =>
    tell({ id: command.id, event: 'bound', port: socket.address().port }),
  );
}

function obey(command: Command): void {
  const socket = sockets.get(command.id);
  switch (command.do) {
    case 'listen':
      return listen(command);
    case 'connect': {
      const made = net.connect({ host: command.address, port: command.port, allowHalfOpen: true });
      made.on('connect', () => tell({ id: command.id, event: 'connected', port: made.localPort }));
      return adopt(command.id, made);
    }
    case 'send':
      return send(command.id, command.bytes);
    case 'end':
      return void socket?.end();
    case 'reset':
      return void socket?.resetAndDestroy();
    case 'pause':
      return void socket?.pause();
    case 'resume':
      return void socket?.resume();
    case 'close':
      servers.get(command.id)?.close();
      datagrams.get(command.id)?.close();
      return void socket?.destroy();
    case 'open':
      return openDatagrams(command);
    case 'datagram':
      return void datagrams.get(command.id)?.send(sequence.subarray(0, command.size), command.port, command.address, (error) => {
        if (error) tell({ id: command.id, event: 'error', code: (error as NodeJS.ErrnoException).code });
      });
    default:
      throw new Error(`unknown command ${command.do}`);
  }
}

readline
  .createInterface({ input: process.stdin })
  .on('line', (line) => obey(JSON.parse(line)))
  .on('close', () => process.exit(0));
tell({ id: 0, event: 'ready' });
