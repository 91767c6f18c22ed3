/**
 * DNS under load: dnsperf asks 50,000 queries through --dns-forward at a quarter of the rate that the way has at its best, and gets all answers.
 */
import { expect } from 'chai';
import { cpSync, writeFileSync } from 'node:fs';
import { check } from '../support/processes.ts';
import { foldered, startDnsmasq } from '../support/servers.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const QUERIES = 50_000;
const NAMES = 100;
/** Sockets of the guest, so flows. */
const CLIENTS = 50;
const FORWARD = { '4': '169.254.1.1', '6': 'fd00::53' } as const;
const RESOLVERS = {
  "the host's loopback": ['127.0.0.53', '::1'],
  'a far host': [TARGET4, TARGET6],
} as const;

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
    await startDnsmasq(topology, topology.host, RESOLVERS["the host's loopback"], names, 'local');
    await startDnsmasq(topology, topology.far, RESOLVERS['a far host'], names, 'far');
    writeFileSync(`${topology.folder}/queries`, Array.from({ length: NAMES }, (_, index) => `n${index}.test A\n`).join(''));
  });
  after(() => topology?.remove());

  async function load(translator: Translator, server: string, ...options: string[]): Promise<Figures> {
    const words = ['dnsperf', '-s', server, '-d', `${topology.folder}/queries`, '-c', String(CLIENTS), ...options];
    const text = await check(words, { namespace: translator.guest, timeout: 60_000 });
    const figure = (name: string): number => Number(new RegExp(`${name}: +([0-9.]+)`).exec(text)?.[1] ?? Number.NaN);
    return { completed: figure('Queries completed'), lost: figure('Queries lost'), rate: figure('Queries per second') };
  }

  for (const [where, servers] of Object.entries(RESOLVERS)) {
    for (const [family, forward] of Object.entries(FORWARD)) {
      it(`UDP over IPv${family} to ${where}: ${QUERIES} queries, none lost`, async () => {
        const etc = foldered(topology, 'etc');
        for (const name of ['passwd', 'group', 'nsswitch.conf']) cpSync(`/etc/${name}`, `${etc}/${name}`);
        writeFileSync(`${etc}/resolv.conf`, servers.map((server) => `nameserver ${server}\n`).join(''));
        const forwarding = Object.values(FORWARD).flatMap((address) => ['--dns-forward', address]);
        const translator = await startTranslator('ravioli', topology, { options: ['--no-map-gw', ...forwarding], etc });
        try {
          const peak = (await load(translator, forward, '-l', '3')).rate;
          expect(peak).to.be.above(0);
          const rounds = String(QUERIES / NAMES);
          const steady = await load(translator, forward, '-n', rounds, '-Q', String(Math.floor(peak / 4)));
          console.log(`      peak ${Math.round(peak)}/s, then ${Math.round(steady.rate)}/s: ${steady.lost} lost`);
          expect(steady.completed).to.equal(QUERIES);
          expect(steady.lost).to.equal(0);
        } finally {
          await translator.stop();
        }
      });
    }
  }
});
