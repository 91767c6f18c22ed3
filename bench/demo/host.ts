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

function upload(socket: net.Socket, first: Buffer): void {
  const comparison = new Comparison();
  comparison.take(first);
  socket.on('data', (data) => comparison.take(data));
  socket.on('end', () => socket.end(JSON.stringify(comparison.result())));
}

function serve(socket: net.Socket): void {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.once('data', (data) => {
    switch (String.fromCharCode(data[0] as number)) {
      case 'u':
        return upload(socket, data.subarray(1));
      case 'd':
        return void sendFor(socket, Number(data.subarray(1)) * 100).catch(() => socket.destroy());
      case 'e':
        socket.write(data.subarray(1));
        socket.on('data', (more) => socket.write(more));
        socket.on('end', () => socket.end());
        return;
      default:
        socket.destroy();
    }
  });
}

/** Listens on a loopback address, on ports of the kernel's choice; null when this machine lacks the address. */
export async function startHostEnd(address: string): Promise<HostEnd | null> {
  const server = net.createServer({ allowHalfOpen: true }, serve);
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
