/**
 * What is reached from where: every kind of client, service, protocol and family under the options that make a difference. The same table is in
 * README.md ("Who reaches what"). Each cell has a port of its own, so all of them are tried at once.
 */
import { expect } from 'chai';
import { type Endpoint, startEndpoint } from '../support/endpoint.ts';
import { GATEWAY4, GATEWAY6, HOST4, HOST6, makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const FIRST_PORT = 7000;
const LAST_PORT = 7099;
const PORTS = `${FIRST_PORT}-${LAST_PORT}`;
const PATIENCE_MS = 2000;
const NO = 'not reached';

const LOOPBACK = { 4: '127.0.0.1', 6: '::1' } as const;
const ADDRESS = { 4: HOST4, 6: HOST6 } as const;
const TARGET = { 4: TARGET4, 6: TARGET6 } as const;
const GATEWAY = { 4: GATEWAY4, 6: GATEWAY6 } as const;
/** Addresses that stand for the host, by --map-guest-addr. */
const MAPPED = { 4: '203.0.113.9', 6: '2001:db8:9::9' } as const;

interface Cell {
  readonly client: Endpoint;
  readonly service: Endpoint;
  /** Where the service is, where the client asks for it. */
  readonly at: string;
  readonly asks: string;
}

async function tryTcp({ client, service, at, asks }: Cell, port: number): Promise<string> {
  const listener = await service.listen(at, port);
  const accepted = listener.accept(PATIENCE_MS).then(
    (socket) => socket.from,
    () => NO,
  );
  const socket = await client.connect(asks, port, PATIENCE_MS).catch(() => null);
  const from = socket === null ? NO : await accepted;
  socket?.reset();
  listener.close();
  return from;
}

async function tryUdp({ client, service, at, asks }: Cell, port: number): Promise<string> {
  const served = await service.open(at, port);
  const asking = await client.open(asks.includes(':') ? '::' : '0.0.0.0');
  const heard = served.message(PATIENCE_MS).then(
    ({ from }) => from as string,
    () => NO,
  );
  asking.send(asks, port, 9);
  const from = await heard;
  asking.close();
  served.close();
  return from;
}

/** By whom each cell was reached, as its service sees it: TCP, then UDP. */
async function tryAll(cells: readonly Cell[]): Promise<string[]> {
  const outcomes = cells.flatMap((cell, index) => [tryTcp(cell, FIRST_PORT + 2 * index), tryUdp(cell, FIRST_PORT + 2 * index + 1)]);
  const reached = await Promise.all(outcomes);
  return cells.map((_, index) => {
    const [tcp, udp] = [reached[2 * index], reached[2 * index + 1]] as [string, string];
    return tcp === udp ? tcp : `TCP ${tcp}, UDP ${udp}`;
  });
}

/** The link-local address is one that each run makes up. */
function plain(address: string): string {
  return address.replace(/^fe80:.*/, 'our link-local address');
}

describe('what is reached from where', function () {
  this.timeout(60_000);
  let topology: Topology;
  let host: Endpoint;
  let far: Endpoint;

  before(async () => {
    topology = makeTopology();
    host = await startEndpoint({ namespace: topology.host });
    far = await startEndpoint({ namespace: topology.far });
  });

  after(async () => {
    await host?.stop();
    await far?.stop();
    topology?.remove();
  });

  async function within(options: readonly string[], work: (guest: Endpoint) => Promise<void>): Promise<void> {
    let translator: Translator | undefined;
    let guest: Endpoint | undefined;
    try {
      translator = await startTranslator('ravioli', topology, { options });
      guest = await startEndpoint({ namespace: translator.guest });
      await work(guest);
    } finally {
      await guest?.stop();
      await translator?.stop();
    }
  }

  const IN = ['-t', PORTS, '-u', PORTS, '-T', 'none', '-U', 'none'];
  // Rows: from the host's loopback, from the host's address, from afar. Columns: a service on the guest's loopback, on its address.
  // `own`: the guest's address; `gateway`: the one that stands for the host's loopback; `us`: the one
  // that we have on the guest's link.
  const inward: [string, string[], [string, string][]][] = [
    [
      'by default',
      [],
      [
        ['no', 'own'],
        ['no', 'us'],
        ['no', 'far'],
      ],
    ],
    [
      'with --host-lo-to-ns-lo',
      ['--host-lo-to-ns-lo'],
      [
        ['loopback', 'no'],
        ['no', 'us'],
        ['no', 'far'],
      ],
    ],
    [
      'with --no-splice',
      ['--no-splice'],
      [
        ['no', 'gateway'],
        ['no', 'us'],
        ['no', 'far'],
      ],
    ],
    [
      'with --no-map-gw',
      ['--no-map-gw'],
      [
        ['no', 'own'],
        ['no', 'us'],
        ['no', 'far'],
      ],
    ],
    [
      'with --map-guest-addr',
      ['--map-guest-addr', MAPPED[4], '--map-guest-addr', MAPPED[6]],
      [
        ['no', 'own'],
        ['no', 'mapped'],
        ['no', 'far'],
      ],
    ],
  ];
  for (const [name, options, rows] of inward)
    for (const family of [4, 6] as const)
      it(`into the guest, IPv${family}, ${name}`, () =>
        within([...IN, ...options], async (guest) => {
          const clients: [Endpoint, string][] = [
            [host, LOOPBACK[family]],
            [host, ADDRESS[family]],
            [far, ADDRESS[family]],
          ];
          const services = [LOOPBACK[family], ADDRESS[family]];
          const cells = clients.flatMap(([client, asks]) => services.map((at) => ({ client, service: guest, at, asks })));
          const names: Record<string, string> = {
            no: NO,
            own: ADDRESS[family],
            loopback: LOOPBACK[family],
            gateway: GATEWAY[family],
            us: GATEWAY[family],
            mapped: MAPPED[family],
            far: TARGET[family],
          };
          const got = (await tryAll(cells)).map(plain);
          expect(got, got.join()).to.deep.equal(rows.flat().map((row) => names[row]));
        }));

  const OUT = ['-t', 'none', '-u', 'none'];
  // Rows: the guest asks its own loopback, the gateway, its own address (the host's as well), the address of --map-guest-addr.
  // Columns: a service on the host's loopback, on its address.
  const outward: [string, string[], [string, string][]][] = [
    [
      'by default, nothing forwarded',
      ['-T', 'none', '-U', 'none'],
      [
        ['no', 'no'],
        ['loopback', 'no'],
        ['no', 'no'],
        ['no', 'no'],
      ],
    ],
    [
      'with -T and -U',
      ['-T', PORTS, '-U', PORTS],
      [
        ['loopback', 'no'],
        ['loopback', 'no'],
        ['no', 'no'],
        ['no', 'no'],
      ],
    ],
    [
      'with --no-map-gw',
      ['-T', 'none', '-U', 'none', '--no-map-gw'],
      [
        ['no', 'no'],
        ['no', 'no'],
        ['no', 'no'],
        ['no', 'no'],
      ],
    ],
    [
      'with --map-guest-addr',
      ['-T', 'none', '-U', 'none', '--map-guest-addr', MAPPED[4], '--map-guest-addr', MAPPED[6]],
      [
        ['no', 'no'],
        ['loopback', 'no'],
        ['no', 'no'],
        ['no', 'own'],
      ],
    ],
  ];
  for (const [name, options, rows] of outward)
    for (const family of [4, 6] as const)
      it(`out of the guest to the host, IPv${family}, ${name}`, () =>
        within([...OUT, ...options], async (guest) => {
          const asked = [LOOPBACK[family], GATEWAY[family], ADDRESS[family], MAPPED[family]];
          const services = [LOOPBACK[family], ADDRESS[family]];
          const cells = asked.flatMap((asks) => services.map((at) => ({ client: guest, service: host, at, asks })));
          const names: Record<string, string> = { no: NO, own: ADDRESS[family], loopback: LOOPBACK[family] };
          const got = (await tryAll(cells)).map(plain);
          expect(got).to.deep.equal(rows.flat().map((row) => names[row]));
        }));

  for (const family of [4, 6] as const)
    it(`out of the guest to others, IPv${family}: reached under the host's address`, () =>
      within([...OUT, '-T', 'none', '-U', 'none'], async (guest) => {
        const target = family === 4 ? TARGET4 : TARGET6;
        expect((await tryAll([{ client: guest, service: far, at: target, asks: target }])).map(plain)).to.deep.equal([ADDRESS[family]]);
      }));
});
