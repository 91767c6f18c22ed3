/**
 * DNS under load: dnsperf asks 50,000 queries at a quarter of the rate that the way has at its best, and gets all answers: by UDP
 * and TCP through --dns-forward, by UDP, TCP and TLS from a far host. kdig reads single answers of each.
 */
import { expect } from 'chai';
import { cpSync, writeFileSync } from 'node:fs';
import { check } from '../support/processes.ts';
import { foldered, makeCertificate } from '../support/servers.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';
import { startUnbound } from '../support/unbound.ts';

const QUERIES = 50_000;
const NAMES = 100;
/** Sockets of the guest, so flows. */
const CLIENTS = 50;
const FORWARD = { '4': '169.254.1.1', '6': 'fd00::53' } as const;
const RESOLVERS = {
  "the host's loopback": ['127.0.0.53', '::1'],
  'a far host': [TARGET4, TARGET6],
} as const;
/** dnsperf's name of each way, and kdig's option. */
const TRANSPORTS = { UDP: ['udp', '+notcp'], TCP: ['tcp', '+tcp'], TLS: ['dot', '+tls'] } as const;
type Transport = keyof typeof TRANSPORTS;

interface Figures {
  readonly completed: number;
  readonly lost: number;
  readonly rate: number;
}

describe('DNS under load', function () {
  this.timeout(120_000);
  let topology: Topology;

  before(async () => {
    topology = makeTopology();
    const names = Object.fromEntries(Array.from({ length: NAMES }, (_, index) => [`n${index}.test`, `203.0.113.${index + 1}`]));
    await startUnbound(topology, topology.host, RESOLVERS["the host's loopback"], names, { folder: 'local' });
    const certificate = makeCertificate(topology, [TARGET4, TARGET6]);
    await startUnbound(topology, topology.far, RESOLVERS['a far host'], names, { certificate });
    writeFileSync(`${topology.folder}/queries`, Array.from({ length: NAMES }, (_, index) => `n${index}.test A\n`).join(''));
  });
  after(() => topology?.remove());

  async function load(translator: Translator, server: string, transport: Transport, ...options: string[]): Promise<Figures> {
    const fixed = ['-s', server, '-m', TRANSPORTS[transport][0], '-d', `${topology.folder}/queries`, '-c', String(CLIENTS)];
    const text = await check(['dnsperf', ...fixed, ...options], { namespace: translator.guest, timeout: 60_000 });
    const figure = (name: string): number => Number(new RegExp(`${name}: +([0-9.]+)`).exec(text)?.[1] ?? Number.NaN);
    return { completed: figure('Queries completed'), lost: figure('Queries lost'), rate: figure('Queries per second') };
  }

  async function expectNoneLost(translator: Translator, server: string, transport: Transport): Promise<void> {
    const peak = (await load(translator, server, transport, '-l', '3')).rate;
    expect(peak).to.be.above(0);
    const steady = await load(translator, server, transport, '-n', String(QUERIES / NAMES), '-Q', String(Math.floor(peak / 4)));
    console.log(`      peak ${Math.round(peak)}/s, then ${Math.round(steady.rate)}/s: ${steady.lost} lost`);
    expect(steady).to.include({ completed: QUERIES, lost: 0 });
    const words = ['kdig', `@${server}`, TRANSPORTS[transport][1], '+short', '+retry=0', '+time=10', 'n7.test', 'A'];
    expect(await check(words, { namespace: translator.guest })).to.equal('203.0.113.8\n');
  }

  for (const [where, servers] of Object.entries(RESOLVERS)) {
    for (const [family, forward] of Object.entries(FORWARD)) {
      for (const transport of ['UDP', 'TCP'] as const) {
        it(`${transport} over IPv${family} by --dns-forward to ${where}: ${QUERIES} queries, none lost`, async () => {
          const etc = foldered(topology, 'etc');
          for (const name of ['passwd', 'group', 'nsswitch.conf']) cpSync(`/etc/${name}`, `${etc}/${name}`);
          writeFileSync(`${etc}/resolv.conf`, servers.map((server) => `nameserver ${server}\n`).join(''));
          const forwarding = Object.values(FORWARD).flatMap((address) => ['--dns-forward', address]);
          const translator = await startTranslator('ravioli', topology, { options: ['--no-map-gw', ...forwarding], etc });
          try {
            await expectNoneLost(translator, forward, transport);
          } finally {
            await translator.stop();
          }
        });
      }
    }
  }

  for (const [transport, server] of [
    ['UDP', TARGET4],
    ['TCP', TARGET6],
    ['TLS', TARGET4],
    ['TLS', TARGET6],
  ] as const) {
    it(`${transport} from ${server}: ${QUERIES} queries, none lost`, async () => {
      const translator = await startTranslator('ravioli', topology);
      try {
        await expectNoneLost(translator, server, transport);
      } finally {
        await translator.stop();
      }
    });
  }
});
