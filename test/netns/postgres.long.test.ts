/**
 * PostgreSQL through the product: bulk loads both ways, and fifty clients at once, with and without TLS.
 */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { expectNoGrowth, type Footprint, footprint } from '../support/footprint.ts';
import { postgresClient, postgresProgram, startPostgres } from '../support/postgres.ts';
import { check } from '../support/processes.ts';
import { makeCertificate, sumOf } from '../support/servers.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const PORT = 5432;
const LOADED_BYTES = 500_000_000;
const CLIENTS = 50;
const SECONDS = 8;

describe('PostgreSQL through the product', function () {
  this.timeout(240_000);
  let topology: Topology;
  let translator: Translator;
  let warm: Footprint;

  before(async () => {
    topology = makeTopology();
    const certificate = makeCertificate(topology, [TARGET4, TARGET6]);
    await startPostgres(topology, topology.far, [TARGET4, TARGET6], PORT, certificate);
    translator = await startTranslator('ravioli', topology);
    await pgbench(TARGET4, false, '-q', '-i', '-s', '5');
    await pgbench(TARGET6, true, '-n', '-C', '-c', '10', '-t', '20');
    warm = footprint(translator);
  });

  after(async () => {
    await translator?.stop();
    topology?.remove();
  });

  const inGuest = (target: string, tls: boolean, argv: readonly string[]): Promise<string> =>
    check(argv, { namespace: translator.guest, cwd: topology.folder, env: postgresClient(target, PORT, tls), timeout: 120_000 });
  const pgbench = (target: string, tls: boolean, ...words: string[]): Promise<string> =>
    inGuest(target, tls, [postgresProgram('pgbench'), ...words]);
  const ask = async (query: string): Promise<string> =>
    (await inGuest(TARGET4, false, ['psql', '-X', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-c', query])).trim();

  for (const [target, tls, name] of [
    [TARGET4, false, 'over IPv4'],
    [TARGET6, true, 'over IPv6 with TLS'],
  ] as const) {
    it(`loads a table of 500 MB and copies it back unchanged, ${name}`, async () => {
      const file = `${topology.folder}/rows`;
      const rows = `openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero 2> /dev/null | base64 -w 199 | head -c ${LOADED_BYTES}`;
      execFileSync('sh', ['-c', `${rows} > ${file}; chmod 644 ${file}`]);
      await ask('create unlogged table bulk (line text)');
      const script = `set -o pipefail; psql -X -q -v ON_ERROR_STOP=1 -c "\\copy bulk from ${file}" &&
        psql -X -q -v ON_ERROR_STOP=1 -c '\\copy bulk to stdout' | md5sum`;
      const back = (await inGuest(target, tls, ['bash', '-c', script])).split(' ')[0];
      await ask('drop table bulk');
      expect(back).to.equal(await sumOf(file));
    });

    it(`serves ${CLIENTS} clients for some seconds without one failed transaction, ${name}`, async () => {
      const said = await pgbench(target, tls, '-n', '-c', String(CLIENTS), '-j', '2', '-T', String(SECONDS));
      expect(said).to.match(/number of failed transactions: 0 /);
      expect(Number(said.match(/transactions actually processed: (\d+)/)?.[1])).to.be.above(CLIENTS);
    });

    it(`serves ${CLIENTS} clients that connect for each transaction, ${name}`, async () => {
      const said = await pgbench(target, tls, '-n', '-S', '-C', '-c', String(CLIENTS), '-j', '2', '-t', '20');
      expect(said).to.match(new RegExp(`transactions actually processed: ${CLIENTS * 20}/${CLIENTS * 20}`));
    });
  }

  it('has done every transaction once', async () => {
    const sums = await ask(`select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history),
      (select sum(tbalance) from pgbench_tellers) = (select sum(delta) from pgbench_history),
      (select sum(bbalance) from pgbench_branches) = (select sum(delta) from pgbench_history)`);
    expect(sums).to.equal('t|t|t');
  });

  it('holds no more afterwards than after the first connections', async () => {
    await expectNoGrowth(translator, warm);
  });
});
