/**
 * The host's network changes while a guest uses it: transfers go on where the kernel allows it, what begins later uses what is there now.
 */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { failure } from '../support/connections.ts';
import { type Endpoint, type Event, type Listener, type Socket, startEndpoint } from '../support/endpoint.ts';
import {
  OTHER4,
  OTHER6,
  OTHER_GATEWAY4,
  OTHER_GATEWAY6,
  plugOther,
  routesOfFirst,
  sh,
  useFirst,
  useOther,
} from '../support/second_uplink.ts';
import { GATEWAY4, GATEWAY6, HOST4, HOST6, makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const PORT = 7300;
/** Whole turns of the sequence that endpoints send. */
const BYTES = 30 * 1_048_573;
const NO_PORTS = ['-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none'];

interface LinkShown {
  addr_info: { local: string; prefixlen: number; scope: string; deprecated?: boolean }[];
}

/** `192.0.2.2/24`, or `192.0.2.2/32 kept`, of the guest's only interface besides loopback. */
function addressesOf(guest: number): string[] {
  const text = execFileSync('nsenter', ['-t', String(guest), '-n', 'ip', '-j', 'address', 'show'], { encoding: 'utf8' });
  const [, tap] = JSON.parse(text) as [unknown, LinkShown];
  return tap.addr_info
    .filter(({ local }) => !local.startsWith('fe80:'))
    .map(({ local, prefixlen, scope, deprecated }) => {
      const isKept = deprecated === true || scope === 'link';
      return `${local}/${prefixlen}${isKept ? ' kept' : ''}`;
    })
    .sort();
}

function defaultRoutes(guest: number): string[] {
  return ['-4', '-6'].map((family) => {
    const routes = execFileSync('nsenter', ['-t', String(guest), '-n', 'ip', '-j', family, 'route', 'show', 'default'], {
      encoding: 'utf8',
    });
    return (JSON.parse(routes) as { gateway: string }[]).map(({ gateway }) => gateway).join(' ');
  });
}

describe('the host changes while a guest runs', function () {
  this.timeout(60_000);
  let topology: Topology;
  let translator: Translator;
  let guest: Endpoint;
  let far: Endpoint;
  let listener4: Listener;
  let listener6: Listener;

  before(async () => {
    topology = makeTopology();
    plugOther(topology);
    far = await startEndpoint({ namespace: topology.far });
    listener4 = await far.listen(TARGET4, PORT);
    listener6 = await far.listen(TARGET6, PORT);
    translator = await startTranslator('ravioli', topology, { options: ['-d', ...NO_PORTS] });
    guest = await startEndpoint({ namespace: translator.guest });
  });

  after(async () => {
    for (const endpoint of [guest, far]) await endpoint?.stop();
    await translator?.stop();
    topology?.remove();
  });

  /** A connection whose server doesn't read yet, with a transfer under way. */
  async function stalledUpload(target: string, listener: Listener): Promise<{ client: Socket; server: Socket; sent: Promise<Event> }> {
    const client = await guest.connect(target, PORT);
    const server = await listener.accept();
    return { client, server, sent: client.send(BYTES) };
  }

  async function finish({ client, server, sent }: Awaited<ReturnType<typeof stalledUpload>>): Promise<void> {
    server.resume();
    await Promise.all([sent, server.received(BYTES), server.send(BYTES), client.received(BYTES)]);
    client.reset();
  }

  /** Connects to both targets, and gives the addresses that far sees. */
  async function comers(): Promise<string[]> {
    const seen: string[] = [];
    for (const [target, listener] of [
      [TARGET4, listener4],
      [TARGET6, listener6],
    ] as const) {
      const socket = await guest.connect(target, PORT);
      seen.push((await listener.accept()).from);
      socket.reset();
    }
    return seen;
  }

  it('goes on with transfers when the default route moves to another interface, and begins new ones there', async () => {
    expect(await comers()).to.eql([HOST4, HOST6]);
    const transfers = [await stalledUpload(TARGET4, listener4), await stalledUpload(TARGET6, listener6)];
    sh(useOther, topology.host);
    await translator.waitFor(
      new RegExp(`IPv4 is ${OTHER4}/24 through ${OTHER_GATEWAY4} by eth1 now .*IPv6 is ${OTHER6}/64 through ${OTHER_GATEWAY6} by eth1 now`),
    );
    for (const transfer of transfers) await finish(transfer);
    expect(addressesOf(translator.guest)).to.eql([`${HOST4}/32 kept`, `${OTHER4}/24`, `${HOST6}/64 kept`, `${OTHER6}/64`].sort());
    expect(defaultRoutes(translator.guest)).to.eql([OTHER_GATEWAY4, OTHER_GATEWAY6]);
    expect(await comers()).to.eql([OTHER4, OTHER6]);
  });

  it('gives the guest its first addresses again when the host goes back to them', async () => {
    const transfers = [await stalledUpload(TARGET4, listener4), await stalledUpload(TARGET6, listener6)];
    sh(useFirst, topology.host);
    await translator.waitFor(new RegExp(`IPv4 is ${HOST4}/24 through ${GATEWAY4} by eth0 now .*IPv6 is ${HOST6}/64`));
    for (const transfer of transfers) await finish(transfer);
    expect(addressesOf(translator.guest)).to.eql([`${OTHER4}/32 kept`, `${HOST4}/24`, `${OTHER6}/64 kept`, `${HOST6}/64`].sort());
    expect(defaultRoutes(translator.guest)).to.eql([GATEWAY4, GATEWAY6]);
    expect(await comers()).to.eql([HOST4, HOST6]);
  });

  it('keeps what the guest has while the host has no uplink, and goes on when it is back', async () => {
    const transfers = [await stalledUpload(TARGET4, listener4), await stalledUpload(TARGET6, listener6)];
    const before = addressesOf(translator.guest);
    sh('ip link set eth0 down; ip link set eth1 down', topology.host);
    await translator.waitFor(/IPv4 has no uplink any more \(it was eth0\).*IPv6 has no uplink any more/);
    expect(addressesOf(translator.guest)).to.eql(before);
    expect(await failure(guest.connect(TARGET4, PORT))).to.match(/ENETUNREACH|EHOSTUNREACH/);
    sh(`ip link set eth0 up; ip address replace ${HOST6}/64 dev eth0 nodad; ${routesOfFirst}`, topology.host);
    await translator.waitFor(/IPv4 has an uplink again: .*by eth0.*IPv6 has an uplink again: .*by eth0/);
    for (const transfer of transfers) await finish(transfer);
    expect(addressesOf(translator.guest)).to.eql(before);
    expect(await comers()).to.eql([HOST4, HOST6]);
  });

  it('takes the next best of several uplinks when the best one goes, and goes back to it', async () => {
    const moved = async (name: string, before = translator.log().length): Promise<void> =>
      void (await translator.waitFor(new RegExp(`^[^]{${before}}[^]*?IPv4 [^;]*by ${name} now[^;]*; IPv6 [^;]*by ${name} now`)));
    sh(
      `ip link set eth1 up; ip address replace ${OTHER6}/64 dev eth1 nodad
       ip route add default via ${OTHER_GATEWAY4} dev eth1 metric 500; ip -6 route add default via ${OTHER_GATEWAY6} dev eth1 metric 2000`,
      topology.host,
    );
    expect(await comers()).to.eql([HOST4, HOST6]);
    const gone = moved('eth1');
    sh('ip link set eth0 down', topology.host);
    await gone;
    expect(defaultRoutes(translator.guest)).to.eql([OTHER_GATEWAY4, OTHER_GATEWAY6]);
    expect(await comers()).to.eql([OTHER4, OTHER6]);
    const back = moved('eth0');
    sh(`ip link set eth0 up; ip address replace ${HOST6}/64 dev eth0 nodad; ${routesOfFirst}`, topology.host);
    await back;
    expect(defaultRoutes(translator.guest)).to.eql([GATEWAY4, GATEWAY6]);
    expect(await comers()).to.eql([HOST4, HOST6]);
  });

  it('says nothing of changes that do not concern the guest', async () => {
    const lines = (): number => translator.log().match(/the host's network has changed/g)?.length ?? 0;
    const before = lines();
    sh('ip address add 198.18.0.9/32 dev lo; ip route add 198.18.7.0/24 dev lo table 77', topology.host);
    // Another change, that is told, comes after those: in the same line or a later one.
    sh('ip route add 198.19.0.0/16 via 192.0.2.1', topology.host);
    await translator.waitFor(/IPv4 has other routes or further addresses, still by eth0/);
    expect(lines()).to.equal(before + 1);
    const routes = execFileSync('nsenter', ['-t', String(translator.guest), '-n', 'ip', 'route', 'show', '198.19.0.0/16'], {
      encoding: 'utf8',
    });
    expect(routes).to.match(/via 192\.0\.2\.1/);
  });
});

describe('a guest that is started before the host has a network', function () {
  this.timeout(60_000);
  let topology: Topology;
  let translator: Translator;
  let guest: Endpoint;
  let far: Endpoint;

  before(async () => {
    topology = makeTopology();
    sh('ip link set eth0 down; ip address flush dev eth0', topology.host);
    far = await startEndpoint({ namespace: topology.far });
    translator = await startTranslator('ravioli', topology, {
      options: ['-d', '-t', String(PORT), '-u', 'none', '-T', 'none', '-U', 'none'],
    });
    guest = await startEndpoint({ namespace: translator.guest });
  });

  after(async () => {
    for (const endpoint of [guest, far]) await endpoint?.stop();
    await translator?.stop();
    topology?.remove();
  });

  it('gets it when there is one, both ways', async () => {
    expect(addressesOf(translator.guest)).to.eql(['169.254.2.1/16']);
    expect(await failure(guest.connect(TARGET4, PORT))).to.match(/ENETUNREACH|EHOSTUNREACH/);
    sh(
      `ip link set eth0 up; ip address add ${HOST4}/24 dev eth0; ip address add ${HOST6}/64 dev eth0 nodad
       ip route add default via ${GATEWAY4}; ip -6 route add default via ${GATEWAY6}`,
      topology.host,
    );
    await translator.waitFor(/IPv4 has an uplink: .*by eth0; IPv6 has an uplink: .*by eth0/);
    expect(addressesOf(translator.guest)).to.include.members([`${HOST4}/24`, `${HOST6}/64`]);
    expect(defaultRoutes(translator.guest)).to.eql([GATEWAY4, GATEWAY6]);
    for (const [target, from] of [
      [TARGET4, HOST4],
      [TARGET6, HOST6],
    ] as const) {
      const listener = await far.listen(target, PORT);
      const socket = await guest.connect(target, PORT);
      expect((await listener.accept()).from).to.equal(from);
      socket.reset();
      const inner = await guest.listen(from, PORT);
      const comer = await far.connect(from, PORT);
      await inner.accept();
      comer.reset();
      inner.close();
    }
  });
});
