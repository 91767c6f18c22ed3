import { expect } from 'chai';
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { fstatSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { buildDatagram, MessageType, NetlinkDialogue, NetlinkError, type NetlinkCalls, viewOf } from '../../supervisor/host/netlink.ts';
import { PortSet } from '../../supervisor/host/port-set.ts';
import { hear, NETLINK_SOCK_DIAG } from '../../supervisor/host/socket-diagnosis.ts';
import { native } from '../native/rooms.ts';

const all = (): boolean => true;

async function listen(host: string): Promise<Server> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  return server;
}

async function bound(type: 'udp4' | 'udp6', host: string): Promise<DatagramSocket> {
  const socket = createSocket(type).bind(0, host);
  await once(socket, 'listening');
  return socket;
}

const portOf = (one: Server | DatagramSocket): number => (one.address() as AddressInfo).port;

/** The inode of a socket that Node.js holds. */
const inodeOf = (server: Server): number => fstatSync((server as unknown as { _handle: { fd: number } })._handle.fd).ino;

describe('supervisor/host/socket-diagnosis, in this namespace', () => {
  let fd: number;
  let dialogue: NetlinkDialogue;
  let servers: Server[];
  let datagrams: DatagramSocket[];

  before(async () => {
    fd = native.netlinkSocket(NETLINK_SOCK_DIAG);
    dialogue = new NetlinkDialogue(native, fd);
    servers = [await listen('127.0.0.1'), await listen('::1')];
    datagrams = [await bound('udp4', '127.0.0.1'), await bound('udp6', '::1')];
  });
  after(() => {
    for (const each of [...servers, ...datagrams]) each.close();
    native.close(fd);
  });

  const heard = (protocol: 'tcp' | 'udp', seen: (inode: number) => boolean = all): PortSet => {
    const ports = new PortSet();
    hear(dialogue, protocol, (port, inode) => seen(inode) && ports.add(port));
    return ports;
  };

  it('hears TCP and UDP services of both families', () => {
    const tcp = heard('tcp');
    const udp = heard('udp');
    expect(servers.map((each) => tcp.has(portOf(each)))).to.deep.equal([true, true]);
    expect(datagrams.map((each) => udp.has(portOf(each)))).to.deep.equal([true, true]);
    expect(tcp.has(0) || udp.has(0)).to.equal(false);
  });

  it('hears no connection, and no UDP socket that is connected', async () => {
    const [server] = servers as [Server];
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const client = connect(portOf(server), '127.0.0.1');
    await once(client, 'connect');
    const [socket] = await accepted;
    const asked = createSocket('udp4');
    asked.connect(portOf(datagrams[0] as DatagramSocket), '127.0.0.1');
    await once(asked, 'connect');
    expect(heard('tcp').has((client.address() as AddressInfo).port)).to.equal(false);
    expect(heard('udp').has(asked.address().port)).to.equal(false);
    asked.close();
    client.destroy();
    socket.destroy();
  });

  it('hears it no more once it is closed', async () => {
    const server = await listen('127.0.0.1');
    const port = portOf(server);
    expect(heard('tcp').has(port)).to.equal(true);
    server.close();
    await once(server, 'close');
    expect(heard('tcp').has(port)).to.equal(false);
  });

  it('tells the inode of each socket', () => {
    const [server, other] = servers as [Server, Server];
    const inodes = new Set<number>();
    const ports = heard('tcp', (inode) => {
      inodes.add(inode);
      return inode !== inodeOf(server);
    });
    expect(inodes.has(inodeOf(server))).to.equal(true);
    expect(ports.has(portOf(server))).to.equal(false);
    expect(ports.has(portOf(other))).to.equal(true);
  });

  it('says so when there is nobody to ask', () => {
    const wrong = new NetlinkDialogue(native, 1 << 20);
    expect(() => hear(wrong, 'tcp', () => undefined)).to.throw(NetlinkError);
  });
});

/** A kernel whose answers are given. */
function answering(answer: (request: DataView) => { type: number; payload: Uint8Array }[]): NetlinkCalls {
  const queue: Uint8Array[] = [];
  return {
    send: (_, bytes) => {
      const view = viewOf(bytes);
      for (const message of answer(view)) queue.push(buildDatagram([{ ...message, flags: 0 }], 0, view.getUint32(8, true)));
      return bytes.length;
    },
    receive: () => queue.shift() ?? null,
    waitReadable: () => 0,
  };
}

function described(state: number, port: number, inode: number): Uint8Array {
  const payload = new Uint8Array(76);
  const view = viewOf(payload);
  view.setUint8(1, state);
  view.setUint16(4, port, false);
  view.setUint32(68, inode, true);
  return payload;
}

const failure = (errno: number): Uint8Array => {
  const payload = new Uint8Array(20);
  viewOf(payload).setInt32(0, -errno, true);
  return payload;
};

const DONE = { type: MessageType.DONE, payload: new Uint8Array(4) };

describe('supervisor/host/socket-diagnosis, its questions and answers', () => {
  const heard = (calls: NetlinkCalls, protocol: 'tcp' | 'udp'): number[] => {
    const ports = new PortSet();
    hear(new NetlinkDialogue(calls, 5), protocol, (port) => ports.add(port));
    return [...ports];
  };

  it('asks for one family, protocol and state at a time', () => {
    const asked: number[][] = [];
    const calls = answering((request) => {
      asked.push([request.getUint16(4, true), request.getUint8(16), request.getUint8(17), request.getUint32(20, true)]);
      return [DONE];
    });
    expect([...heard(calls, 'tcp'), ...heard(calls, 'udp')]).to.deep.equal([]);
    expect(asked).to.deep.equal([
      [20, 2, 6, 1 << 10],
      [20, 10, 6, 1 << 10],
      [20, 2, 17, 1 << 7],
      [20, 10, 17, 1 << 7],
    ]);
  });

  it('reads answers of several datagrams, and passes over sockets in other states or without a port', () => {
    const calls = answering((request) => [
      { type: 20, payload: described(10, request.getUint8(16) === 2 ? 80 : 443, 1) },
      { type: 20, payload: described(1, 22, 2) },
      { type: 20, payload: described(10, 0, 3) },
      { type: 20, payload: described(10, 65_535, 4) },
      DONE,
    ]);
    expect(heard(calls, 'tcp')).to.deep.equal([80, 443, 65_535]);
  });

  it('does without IPv6 where the kernel has none', () => {
    const calls = answering((request) =>
      request.getUint8(16) === 10 ? [{ type: MessageType.ERROR, payload: failure(2) }] : [{ type: 20, payload: described(7, 53, 1) }, DONE],
    );
    expect(heard(calls, 'udp')).to.deep.equal([53]);
  });

  for (const [what, message] of [
    ['refuses', { type: MessageType.ERROR, payload: failure(2) }],
    ['breaks off', { type: MessageType.DONE, payload: failure(90) }],
    ['describes a socket in too few bytes', { type: 20, payload: new Uint8Array(68) }],
  ] as const)
    it(`throws when the kernel ${what}`, () => {
      expect(() =>
        heard(
          answering(() => [message, DONE]),
          'tcp',
        ),
      ).to.throw(NetlinkError);
    });
});
