/**
 * From loopback to loopback, both ways, between real kernels: TCP and UDP, and what becomes of refusals, urgent bytes and readers that
 * read nothing. RAVIOLI_PASTA=/opt/peer/bin/pasta runs it against the peer, which passes all but urgent bytes: its streams end there.
 */
import { expect } from 'chai';
import { describeConnection, failure, outward, type Pair } from '../support/connections.ts';
import { type Endpoint, type Socket, startEndpoint } from '../support/endpoint.ts';
import { check, start } from '../support/processes.ts';
import { makeTopology, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

/** Forwarded to the guest's loopback, and from there to the host's. */
const INWARD = 6200;
const OUTWARD = 6300;
/** Forwarded to the guest's address. */
const TO_ADDRESS = 6400;
const NOBODY = INWARD + 9;
/** More than there are pipes. */
const STALLED = 40;
/** More than queues of sockets take. */
const MUCH = 20_000_000;

const TALK = `
s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
s.send(b'abcd'); s.send(b'E', socket.MSG_OOB); s.send(b'fghij'); s.shutdown(socket.SHUT_WR)
got = b''
while True:
  more = s.recv(100)
  if not more: break
  got += more
print(got.decode(), flush=True)
`;

describe('from loopback to loopback', function () {
  this.timeout(120_000);
  let topology: Topology;
  let translator: Translator;
  let other: Translator;
  let guest: Endpoint;
  let host: Endpoint;

  before(async () => {
    topology = makeTopology();
    const [inside, outside] = [`${INWARD}-${INWARD + 9}`, `${OUTWARD}-${OUTWARD + 9}`];
    const options = ['--host-lo-to-ns-lo', '-t', inside, '-u', inside, '-T', outside, '-U', outside];
    translator = await startTranslator('ravioli', topology, { options });
    const onlyTcp = ['-t', `${TO_ADDRESS}`, '-u', `${TO_ADDRESS}`, '-T', 'none', '-U', 'none'];
    other = await startTranslator('ravioli', topology, { options: onlyTcp });
    guest = await startEndpoint({ namespace: translator.guest });
    host = await startEndpoint({ namespace: topology.host });
  });

  after(async () => {
    for (const endpoint of [guest, host]) await endpoint?.stop();
    await other?.stop();
    await translator?.stop();
    topology?.remove();
  });

  // Into the guest: forwarding.test.ts.
  describeConnection('out of the guest, IPv4', (port) => outward(guest, host, '127.0.0.1', OUTWARD + port));
  describeConnection('out of the guest, IPv6', (port) => outward(guest, host, '::1', OUTWARD + port));

  for (const address of ['127.0.0.1', '::1']) {
    it(`resets who comes to a port that nobody listens on, ${address}`, async () => {
      // As early as that may be: before the connecting program has looked, or after.
      const outcome = await failure(
        host.connect(address, NOBODY).then(async (socket) => {
          throw new Error((await socket.event('error')).code);
        }),
      );
      expect(outcome).to.match(/ECONNRESET$/);
    });

    for (const [what, port] of [
      ['into', INWARD],
      ['out of', OUTWARD],
    ] as const)
      it(`brings datagrams ${what} the guest and answers back, each with the port it came from, ${address}`, async () => {
        const [inner, outer] = port === INWARD ? [guest, host] : [host, guest];
        const server = await inner.open(address, port);
        const client = await outer.open(address);
        for (const size of [1, 0, 1400, 8192, 60_000]) {
          client.send(address, port, size);
          const there = await server.message();
          expect(there).to.include({ size, good: true, from: address, port: client.port });
          server.send(there.from as string, there.port as number, size);
          expect(await client.message()).to.include({ size, good: true, from: address, port });
        }
        server.close();
        client.close();
      });

    it(`keeps urgent bytes in their place, ${address}`, async () => {
      const family = address === '::1' ? 'AF_INET6' : 'AF_INET';
      const listen = `
import socket
l = socket.create_server(('${address}', ${INWARD}), family=socket.${family})
print('ready', flush=True)
s, _ = l.accept()${TALK}`;
      const connect = `
import socket
s = socket.create_connection(('${address}', ${INWARD}))${TALK}`;
      const server = start(['python3', '-c', listen], { namespace: translator.guest, timeout: 20_000 });
      await server.waitFor(/ready/, 10_000);
      const heard = await check(['python3', '-c', connect], { namespace: topology.host, timeout: 10_000 });
      expect(heard.trim()).to.equal('abcdEfghij');
      await server.waitFor(/abcdEfghij/, 10_000);
      await server.stop();
    });
  }

  it("asks the address of the host's loopback that the guest has asked, TCP and UDP", async () => {
    const { guest: inner, host: outer } = await outward(guest, host, '127.0.0.7', OUTWARD + 8);
    inner.end();
    outer.resume();
    await outer.event('end');
    const server = await host.open('127.0.0.7', OUTWARD + 8);
    const client = await guest.open('127.0.0.1');
    client.send('127.0.0.7', OUTWARD + 8, 10);
    const there = await server.message();
    server.send(there.from as string, there.port as number, 11);
    expect(await client.message()).to.include({ size: 11, from: '127.0.0.7', port: OUTWARD + 8 });
    server.close();
    client.close();
  });

  it('moves on while more readers than there are pipes read nothing, and loses nothing of theirs', async () => {
    const stalled: Pair[] = [];
    const sending: Promise<unknown>[] = [];
    const listener = await guest.listen('127.0.0.1', INWARD);
    const connect = async (): Promise<Pair> => {
      const connecting = host.connect('127.0.0.1', INWARD);
      const accepted = await listener.accept();
      return { host: await connecting, guest: accepted };
    };
    for (let count = 0; count < STALLED; count++) {
      const pair = await connect();
      stalled.push(pair);
      sending.push(pair.host.send(MUCH));
    }
    const other = await connect();
    other.guest.resume();
    await other.host.send(MUCH);
    await other.guest.received(MUCH);
    const [first, last] = [stalled[0], stalled[STALLED - 1]] as [Pair, Pair];
    for (const pair of [first, last]) pair.guest.resume();
    await Promise.all([first, last].map((pair) => pair.guest.received(MUCH)));
    for (const { host: socket } of stalled.slice(1, -1)) socket.reset();
    await Promise.all(stalled.slice(1, -1).map(({ guest: socket }) => ended(socket)));
    listener.close();
    void Promise.allSettled(sending);
  });

  /** A reader that reads again learns of the reset. */
  function ended(socket: Socket): Promise<unknown> {
    socket.resume();
    return socket.event('close');
  }

  it("goes to the guest's address, not to its loopback, unless it is asked for", async () => {
    const inner = await startEndpoint({ namespace: other.guest });
    const narrow = await inner.listen('127.0.0.1', TO_ADDRESS);
    const outcome = await failure(host.connect('127.0.0.1', TO_ADDRESS).then((socket) => socket.event('close')));
    expect(outcome).to.match(/ECONNRESET$|no error/);
    narrow.close();
    const wide = await inner.listen('0.0.0.0', TO_ADDRESS);
    const connecting = host.connect('127.0.0.1', TO_ADDRESS);
    const { from } = await wide.accept();
    expect(from).to.not.match(/^127\./);
    await connecting;
    wide.close();
    await inner.stop();
  });

  it('goes to the address of the loopback that was asked, TCP and UDP', async () => {
    const listener = await guest.listen('127.0.0.9', INWARD);
    const connecting = host.connect('127.0.0.9', INWARD);
    await listener.accept();
    await connecting;
    listener.close();
    const [server, client] = [await guest.open('127.0.0.9', INWARD), await host.open('127.0.0.1')];
    client.send('127.0.0.9', INWARD, 100);
    const asked = await server.message();
    server.send(asked.from as string, asked.port as number, 200);
    expect(await client.message()).to.include({ size: 200, good: true, from: '127.0.0.9' });
    for (const socket of [server, client]) socket.close();
  });
});
