/**
 * The limits of time that a user can set: each ends a connection at both of its ends, and says so; 0 leaves it alone.
 */
import { expect } from 'chai';
import { failure } from '../support/connections.ts';
import { type Endpoint, type Socket, startEndpoint } from '../support/endpoint.ts';
import { check, start } from '../support/processes.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const PORT = 6100;

describe('limits of time', function () {
  this.timeout(60_000);
  let topology: Topology;
  let far: Endpoint;
  let translator: Translator;
  let guest: Endpoint;

  before(async () => {
    topology = makeTopology();
    far = await startEndpoint({ namespace: topology.far });
  });

  after(async () => {
    await far?.stop();
    topology?.remove();
  });

  afterEach(async () => {
    await guest?.stop();
    await translator?.stop();
  });

  async function begin(...options: string[]): Promise<void> {
    translator = await startTranslator('ravioli', topology, { options: ['-d', ...options] });
    guest = await startEndpoint({ namespace: translator.guest });
  }

  let ports = 0;
  /** A connection over which some bytes have gone both ways. */
  async function connection(target: string): Promise<{ near: Socket; distant: Socket; port: number }> {
    const port = PORT + ports++;
    const listener = await far.listen(target, port);
    const near = await guest.connect(target, port);
    const distant = await listener.accept();
    distant.resume();
    await near.send(100);
    await distant.received(100);
    await distant.send(100);
    await near.received(100);
    return { near, distant, port };
  }

  async function expectReset(...sockets: Socket[]): Promise<void> {
    for (const socket of sockets) expect(await socket.event('error')).to.include({ code: 'ECONNRESET' });
  }

  for (const target of [TARGET4, TARGET6]) {
    it(`--tcp-idle-timeout 1 resets both ends of an idle connection to ${target}, and says so`, async () => {
      await begin('--tcp-idle-timeout', '1');
      const { near, distant, port } = await connection(target);
      await expectReset(near, distant);
      await translator.waitFor(new RegExp(`from guest port \\d+ to ${target} port ${port} was ended: .*--tcp-idle-timeout`));
    });
  }

  it('--tcp-half-closed-timeout 1 resets both ends of a connection that one end has closed, and leaves others alone', async () => {
    await begin('--tcp-half-closed-timeout', '1');
    const open = await connection(TARGET4);
    const guestClosed = await connection(TARGET4);
    const farClosed = await connection(TARGET6);
    guestClosed.near.end();
    await guestClosed.distant.event('end');
    farClosed.distant.end();
    await farClosed.near.event('end');
    await expectReset(guestClosed.near, farClosed.distant);
    // Who has read the end of the stream learns of a reset when it writes.
    for (const socket of [guestClosed.distant, farClosed.near]) {
      const refused = socket.event('error');
      void socket.send(100).catch(() => undefined);
      expect((await refused).code).to.match(/^(ECONNRESET|EPIPE)$/);
    }
    await translator.waitFor(/--tcp-half-closed-timeout/);
    await open.near.send(100);
    expect((await open.distant.event('data')).bytes).to.equal(200);
  });

  it('0 keeps an idle connection, while the other limits stay', async () => {
    await begin('--tcp-idle-timeout', '0', '--tcp-half-closed-timeout', '1');
    const idle = await connection(TARGET4);
    const halfClosed = await connection(TARGET4);
    halfClosed.near.end();
    await expectReset(halfClosed.near);
    await idle.near.send(100);
    expect((await idle.distant.event('data')).bytes).to.equal(200);
  });

  it('--tcp-keepalive 1 asks a silent guest, which answers and is kept', async () => {
    await begin('--tcp-keepalive', '1');
    const capture = start(['tshark', '-l', '-n', '-i', 'eth0', '-f', 'tcp'], { namespace: translator.guest, user: 0 });
    await capture.waitFor(/Capture started/);
    const { near, distant } = await connection(TARGET4);
    await capture.waitFor(/(TCP Keep-Alive\][^]*TCP Keep-Alive ACK\][^]*){3}/);
    await capture.stop();
    await near.send(100);
    expect((await distant.event('data')).bytes).to.equal(200);
  });

  it('--tcp-handshake-timeout 1 gives a guest up that never answers', async () => {
    await begin('--tcp-handshake-timeout', '1');
    const port = PORT + ports++;
    const listener = await far.listen(TARGET4, port);
    // The guest's kernel sends its SYN, and drops all that comes back.
    const deaf = 'ip rule add pref 10 iif eth0 blackhole; ip rule add pref 20 lookup local; ip rule del pref 0';
    await check(['sh', '-ec', deaf], { namespace: translator.guest, user: 0 });
    const connecting = failure(guest.connect(TARGET4, port, 3000));
    const distant = await listener.accept();
    distant.resume();
    await expectReset(distant);
    await translator.waitFor(/--tcp-handshake-timeout/);
    await connecting;
  });
});
