/**
 * The end on the host: servers on a loopback address, for TCP and UDP. The first byte of a connection says what is wanted.
 *
 * Theory of operation. `u` uploads: the guest sends and closes its direction, and gets what arrived as JSON. `d` and a digit downloads
 * the sequence for that many tenths of a second. `e` echoes whatever follows. UDP echoes each datagram.
 */
import dgram from 'node:dgram';
import net from 'node:net';
import { Comparison, sendFor } from './stream.ts';

/** A listening end. */
export interface HostEnd {
  readonly address: string;
  readonly tcpPort: number;
  readonly udpPort: number;
  close(): void;
}

/** Bytes read at a time. */
const READ = 1 << 20;

/**
 * The accepted connection as a socket that reads into one large buffer of ours. Node.js offers that (`onread`) to sockets that connect
 * only, so the handle, which has no public name, is taken over; without, this end reads 64 KiB at a time into fresh memory and is what
 * limits the transfer (26 instead of 60 Gbit/s without any translator).
 */
function readingLargely(accepted: net.Socket, take: (data: Buffer) => void): net.Socket {
  const buffer = Buffer.allocUnsafe(READ);
  const callback = (size: number): boolean => {
    take(buffer.subarray(0, size));
    return true;
  };
  const { _handle: handle } = accepted as unknown as { _handle: unknown };
  const socket = new net.Socket({ handle, allowHalfOpen: true, onread: { buffer, callback } } as net.SocketConstructorOpts);
  return socket.setNoDelay(true);
}

/** What a connection that begins with this byte wants done with each piece of data. */
function serviceOf(kind: string, socket: net.Socket): ((data: Buffer) => void) | null {
  switch (kind) {
    case 'u': {
      const comparison = new Comparison();
      socket.once('end', () => socket.end(JSON.stringify(comparison.result())));
      return (data) => comparison.take(data);
    }
    case 'd':
      return (data) => void sendFor(socket, Number(data) * 100).catch(() => socket.destroy());
    case 'e':
      socket.once('end', () => socket.end());
      return (data) => void socket.write(Buffer.from(data));
    default:
      return null;
  }
}

function serve(accepted: net.Socket): void {
  let service: ((data: Buffer) => void) | null = null;
  const socket = readingLargely(accepted, (data) => {
    if (service !== null) return service(data);
    service = serviceOf(String.fromCharCode(data[0] as number), socket);
    if (service === null) socket.destroy();
    else if (data.length > 1) service(data.subarray(1));
  });
  socket.on('error', () => socket.destroy());
  socket.resume();
}

/** Listens on a loopback address, on ports of the kernel's choice; null when this machine lacks the address. */
export async function startHostEnd(address: string): Promise<HostEnd | null> {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, serve);
  const datagrams = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
  datagrams.on('message', (data, from) => datagrams.send(data, from.port, from.address));
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, address, 4096, resolve));
    await new Promise<void>((resolve, reject) => datagrams.once('error', reject).bind(0, address, resolve));
  } catch {
    // EADDRNOTAVAIL or EAFNOSUPPORT: a machine without this family, which is no fault of ours.
    server.close();
    datagrams.close();
    return null;
  }
  return {
    address,
    tcpPort: (server.address() as net.AddressInfo).port,
    udpPort: datagrams.address().port,
    close() {
      server.close();
      datagrams.close();
    },
  };
}
