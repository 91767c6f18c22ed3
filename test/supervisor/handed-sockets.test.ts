import { expect } from 'chai';
import { createSocket, type SocketOptions } from 'node:dgram';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type ListenOptions, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatAddress } from '../../shared/addresses.ts';
import { environmentOfCommand } from '../../supervisor/environment.ts';
import {
  collectSockets,
  handedDescriptors,
  inspectSocket,
  nameOf,
  prepareSocket,
  readFirstUnprivileged,
  refusePrivileged,
} from '../../supervisor/host/handed-sockets.ts';
import { UsageError } from '../../supervisor/usage-error.ts';
import { native } from '../native/rooms.ts';

describe('supervisor/host/handed-sockets: the variables', () => {
  const pid = 4711;
  const ours = { LISTEN_PID: '4711', LISTEN_FDS: '2' };

  it('name descriptors from 3 on', () => {
    expect(handedDescriptors({ ...ours, LISTEN_FDNAMES: 'web:tcp-8080' }, pid)).to.deep.equal([
      { descriptor: 3, name: 'web' },
      { descriptor: 4, name: 'tcp-8080' },
    ]);
  });

  it('need not have names', () => {
    const nameless = [
      { descriptor: 3, name: null },
      { descriptor: 4, name: null },
    ];
    for (const names of [undefined, '', 'unknown:unknown', ':'])
      expect(handedDescriptors({ ...ours, ...(names === undefined ? {} : { LISTEN_FDNAMES: names }) }, pid)).to.deep.equal(nameless);
  });

  it("mean nothing when they are another process's", () => {
    for (const environment of [{}, { LISTEN_FDS: '2' }, { ...ours, LISTEN_PID: '4712' }, { LISTEN_PID: '4711' }])
      expect(handedDescriptors(environment, pid)).to.deep.equal([]);
  });

  for (const [what, environment, part] of [
    ['no number', { ...ours, LISTEN_FDS: 'two' }, "LISTEN_FDS='two'"],
    ['no socket', { ...ours, LISTEN_FDS: '0' }, "LISTEN_FDS='0'"],
    ['a negative number', { ...ours, LISTEN_FDS: '-1' }, "LISTEN_FDS='-1'"],
    ['too few names', { ...ours, LISTEN_FDNAMES: 'web' }, "LISTEN_FDNAMES='web'"],
    ['too many names', { ...ours, LISTEN_FDNAMES: 'a:b:c' }, "LISTEN_FDNAMES='a:b:c'"],
  ] as const)
    it(`are refused when they are contradictory: ${what}`, () => {
      expect(() => handedDescriptors(environment, pid)).to.throw(UsageError, part);
    });

  it('are kept from the command when they were for us, and passed on when not', () => {
    const environment = (owner: number): string =>
      `A=1\0LISTEN_PID=${owner}\0LISTEN_FDS=1\0LISTEN_FDNAMES=x\0LISTEN_PIDFDID=7\0LISTEN_X=1\0`;
    expect(environmentOfCommand({ environment: environment(process.pid), words: '' })).to.deep.equal(['A=1', 'LISTEN_X=1']);
    expect(environmentOfCommand({ environment: environment(1), words: '' })).to.have.length(6);
  });
});

/** What Node.js holds, and its descriptor. */
interface Held {
  readonly fd: number;
  readonly port: number;
  close(): void;
}

async function listening(options: ListenOptions): Promise<Held> {
  const server = createServer().listen(options);
  await once(server, 'listening');
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
  return { fd, port: (server.address() as AddressInfo).port, close: () => server.close() };
}

async function bound(options: SocketOptions, host: string, peer?: number): Promise<Held> {
  const socket = createSocket(options).bind(0, host);
  await once(socket, 'listening');
  if (peer !== undefined) {
    socket.connect(peer, host);
    await once(socket, 'connect');
  }
  const state = Object.getOwnPropertySymbols(socket).find((key) => key.description === 'state symbol') as symbol;
  const { handle } = (socket as unknown as Record<symbol, { handle: { fd: number } }>)[state] as { handle: { fd: number } };
  return { fd: handle.fd, port: socket.address().port, close: () => socket.close() };
}

describe('supervisor/host/handed-sockets: sockets', () => {
  const held: Held[] = [];
  const keep = async (made: Promise<Held>): Promise<Held> => {
    const one = await made;
    held.push(one);
    return one;
  };
  afterEach(() => {
    for (const one of held.splice(0)) one.close();
  });

  const inspect = (descriptor: number) => inspectSocket(native, { descriptor, name: 'web' });

  for (const [what, make, protocol, address] of [
    ['TCP of IPv4', () => listening({ host: '127.0.0.1', port: 0 }), 'tcp', '127.0.0.1'],
    ['TCP of IPv6', () => listening({ host: '::1', port: 0 }), 'tcp', '::1'],
    ['TCP of any address', () => listening({ host: '::', port: 0 }), 'tcp', null],
    ['TCP of any IPv6 address', () => listening({ host: '::', port: 0, ipv6Only: true }), 'tcp', '::'],
    ['TCP of any IPv4 address', () => listening({ host: '0.0.0.0', port: 0 }), 'tcp', '0.0.0.0'],
    ['UDP of IPv4', () => bound({ type: 'udp4' }, '127.0.0.1'), 'udp', '127.0.0.1'],
    ['UDP of any address', () => bound({ type: 'udp6' }, '::'), 'udp', null],
    ['UDP of any IPv6 address', () => bound({ type: 'udp6', ipv6Only: true }, '::'), 'udp', '::'],
  ] as const)
    it(`are taken: ${what}`, async () => {
      const { fd, port } = await keep(make());
      const found = inspect(fd);
      expect(found).to.include({ descriptor: fd, name: 'web', protocol, port, interfaceName: null });
      expect(found.address && formatAddress(found.address)).to.equal(address);
    });

  const refused = (descriptor: number, why: string): void => {
    expect(() => inspect(descriptor)).to.throw(
      UsageError,
      `socket ${descriptor} ('web') ${why}; hand in a TCP socket that listens or a UDP socket that is bound`,
    );
  };

  it('are refused: what is not open, a file, a socket of another family', async () => {
    refused(1 << 20, 'is no open socket');
    const file = openSync('/dev/null', 'r');
    refused(file, 'is no open socket');
    closeSync(file);
    const [one, other] = native.socketPair();
    refused(one, 'is no socket of IPv4 or IPv6');
    for (const fd of [one, other]) native.close(fd);
    const path = join(tmpdir(), `ravioli-handed-${process.pid}`);
    refused((await keep(listening({ path }))).fd, 'is no socket of IPv4 or IPv6');
  });

  it('are refused: connections', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [accepted] = (await once(server, 'connection')) as [Socket];
    refused((client as unknown as { _handle: { fd: number } })._handle.fd, 'does not listen (a connection? then set Accept=no)');
    const target = await keep(bound({ type: 'udp4' }, '127.0.0.1'));
    refused((await keep(bound({ type: 'udp4' }, '127.0.0.1', target.port))).fd, 'is connected');
    client.destroy();
    accepted.destroy();
    server.close();
  });

  it('are set as those of an opener', async () => {
    const tcp = inspect((await keep(listening({ host: '127.0.0.1', port: 0 }))).fd);
    prepareSocket(native, tcp);
    expect(native.socketOption(tcp.descriptor, 6, 1), 'TCP_NODELAY').to.equal(1);
    expect(native.socketOption(tcp.descriptor, 1, 10), 'SO_OOBINLINE').to.equal(1);
    const udp = inspect((await keep(bound({ type: 'udp6' }, '::'))).fd);
    prepareSocket(native, udp);
    for (const [level, name] of [
      [17, 104],
      [1, 2],
      [41, 49],
      [41, 25],
      [41, 66],
      [0, 8],
      [0, 11],
      [0, 13],
    ] as const)
      expect(native.socketOption(udp.descriptor, level, name), `level ${level} name ${name}`).to.equal(1);
    const flags = /flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${udp.descriptor}`, 'latin1'))?.[1] as string;
    expect(Number.parseInt(flags, 8) & 0o4000, 'O_NONBLOCK').to.not.equal(0);
  });

  it('are refused: UDP that could not be answered from its port', async () => {
    const { fd, port } = await keep(bound({ type: 'udp4' }, '127.0.0.1'));
    const udp = inspect(fd);
    expect(() => refusePrivileged(udp, port + 1)).to.throw(
      UsageError,
      `socket ${fd} ('web'): UDP port ${port} is answered from other sockets, which may not be bound to it; run 'sysctl net.ipv4.ip_unprivileged_port_start=${port}' as root`,
    );
    refusePrivileged(udp, port);
    refusePrivileged({ ...udp, protocol: 'tcp' }, port + 1);
    expect(readFirstUnprivileged()).to.be.within(0, 65_535);
  });

  it('are collected from the environment and by number, each once', async () => {
    const { fd } = await keep(listening({ host: '127.0.0.1', port: 0 }));
    expect(collectSockets(native, {}, 1, [fd, fd]).map(({ descriptor, name }) => [descriptor, name])).to.deep.equal([[fd, null]]);
    expect(() => collectSockets(native, { LISTEN_PID: '1', LISTEN_FDS: '1' }, 1, [])).to.throw(UsageError, 'socket 3 ');
  });

  it('are called by their number and name', () => {
    expect(nameOf({ descriptor: 3, name: null })).to.equal('socket 3');
    expect(nameOf({ descriptor: 4, name: 'web' })).to.equal("socket 4 ('web')");
  });
});
