/**
 * The end in the namespace: a program that `pasta` runs. It obeys JSON lines on stdin and answers each with one on stdout.
 */
import dgram from 'node:dgram';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import readline from 'node:readline';
import type { Answer, Gateways, Order, Rate, RoundTrips, Transfer } from './orders.ts';
import { Comparison, sendFor } from './stream.ts';

/** So long without an answer is a failure. */
const PATIENCE_MS = 3000;

/** Default gateways as /proc/net/route and /proc/net/ipv6_route tell them: no other program is needed. */
function gateways(): Gateways {
  const rows4 = readFileSync('/proc/net/route', 'latin1').split('\n').slice(1);
  const default4 = rows4.map((row) => row.split('\t')).find((row) => row[1] === '00000000' && row[7] === '00000000');
  const ipv4 = default4
    ? Buffer.from(default4[2] as string, 'hex')
        .reverse()
        .join('.')
    : null;
  let text = '';
  try {
    text = readFileSync('/proc/net/ipv6_route', 'latin1');
  } catch {
    return { ipv4, ipv6: null }; // a kernel without IPv6
  }
  const rows6 = text.split('\n').map((row) => row.trim().split(/ +/));
  const default6 = rows6.find((row) => /^0{32}$/.test(row[0] ?? '') && row[1] === '00' && !/^0{32}$/.test(row[4] ?? ''));
  if (default6 === undefined) return { ipv4, ipv6: null };
  const address = (default6[4] as string).replace(/(.{4})(?=.)/g, '$1:');
  const short = new net.SocketAddress({ address, family: 'ipv6' }).address;
  return { ipv4, ipv6: short.startsWith('fe80:') ? `${short}%${default6[9]}` : short };
}

function connect(order: Order, take?: (data: Uint8Array) => void): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const buffer = Buffer.allocUnsafe(1 << 20);
    const onread = take && {
      buffer,
      callback(size: number) {
        take(buffer.subarray(0, size));
        return true;
      },
    };
    const socket = net.connect({
      host: order.address,
      port: order.port,
      allowHalfOpen: true,
      noDelay: true,
      ...(onread ? { onread } : {}),
    });
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error(`no answer from ${order.address} port ${order.port}`)));
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

/** Resolves when the other end has closed its direction; rejects with the socket's error. */
function ended(socket: net.Socket): Promise<void> {
  return new Promise((resolve, reject) => socket.once('end', resolve).once('error', reject));
}

async function upload(order: Order): Promise<Transfer> {
  const socket = await connect(order);
  let answer = '';
  socket.setEncoding('latin1').on('data', (text) => {
    answer += text;
  });
  const start = performance.now();
  socket.write('u');
  const [sent] = await Promise.all([sendFor(socket, order.milliseconds), ended(socket)]);
  const seconds = (performance.now() - start) / 1000;
  const { bytes, same } = JSON.parse(answer);
  return { bytes, same: same && bytes === sent, seconds };
}

async function download(order: Order): Promise<Transfer> {
  const comparison = new Comparison();
  const socket = await connect(order, (data) => comparison.take(data));
  const start = performance.now();
  socket.end(`d${Math.round(order.milliseconds / 100)}`);
  await ended(socket);
  return { ...comparison.result(), seconds: (performance.now() - start) / 1000 };
}

function percentiles(times: number[]): RoundTrips {
  times.sort((a, b) => a - b);
  const at = (part: number): number => (times[Math.min(times.length - 1, Math.floor(times.length * part))] as number) * 1000;
  return { p50: at(0.5), p99: at(0.99) };
}

/** Sends and awaits in turn for a while; `exchange` sends one byte and calls back when it has come back. */
function repeat(milliseconds: number, exchange: (done: () => void) => void): Promise<RoundTrips> {
  return new Promise((resolve) => {
    const end = performance.now() + milliseconds;
    const times: number[] = [];
    const again = (): void => {
      const start = performance.now();
      exchange(() => {
        const now = performance.now();
        times.push(now - start);
        if (now < end) again();
        else resolve(percentiles(times));
      });
    };
    again();
  });
}

async function tcpRoundTrips(order: Order): Promise<RoundTrips> {
  const socket = await connect(order);
  const failed = new Promise<never>((_, reject) => socket.once('error', reject));
  let arrived = (): void => {};
  socket.on('data', () => arrived());
  socket.write('e');
  const exchange = (done: () => void): void => {
    arrived = done;
    socket.write('x');
  };
  const result = await Promise.race([repeat(order.milliseconds, exchange), failed]);
  socket.destroy();
  return result;
}

async function udpRoundTrips(order: Order): Promise<RoundTrips> {
  const socket = dgram.createSocket(order.address.includes(':') ? 'udp6' : 'udp4');
  const silence = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error('a datagram was lost')), order.milliseconds + PATIENCE_MS).unref();
    socket.once('error', reject);
  });
  await new Promise<void>((resolve) => socket.connect(order.port, order.address, resolve));
  let arrived = (): void => {};
  socket.on('message', () => arrived());
  const exchange = (done: () => void): void => {
    arrived = done;
    socket.send('x');
  };
  const result = await Promise.race([repeat(order.milliseconds, exchange), silence]);
  socket.close();
  return result;
}

async function connections(order: Order): Promise<Rate> {
  const start = performance.now();
  let count = 0;
  for (; performance.now() - start < order.milliseconds; count++) {
    const socket = await connect(order);
    socket.end('ex');
    await new Promise<void>((resolve, reject) => socket.once('data', () => resolve()).once('error', reject));
    socket.destroy();
  }
  return { perSecond: count / ((performance.now() - start) / 1000) };
}

async function obey(order: Order): Promise<Answer> {
  switch (order.what) {
    case 'gateways':
      return gateways();
    case 'upload':
      return upload(order);
    case 'download':
      return download(order);
    case 'tcp':
      return tcpRoundTrips(order);
    case 'udp':
      return udpRoundTrips(order);
    case 'connections':
      return connections(order);
  }
}

readline.createInterface({ input: process.stdin }).on('line', async (line) => {
  let answer: Answer | { error: string };
  try {
    answer = await obey(JSON.parse(line));
  } catch (error) {
    answer = { error: (error as Error).message };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
});
