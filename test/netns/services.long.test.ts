/**
 * Real servers in the guest, reached from another host, from the host's own address and from its loopback: each answers, and its own log
 * names the client that README says it sees.
 */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { postgresClient, startPostgres } from '../support/postgres.ts';
import { check, type Running } from '../support/processes.ts';
import { bracketed, makeCertificate, type Ssh, startNginx, startSshd, type WebServer } from '../support/servers.ts';
import { GATEWAY4, GATEWAY6, HOST4, HOST6, makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';
import { startUnbound } from '../support/unbound.ts';

const WEB = 8080;
const SSH = 2222;
const SQL = 5432;
const DNS = 5353;
const ANY = ['0.0.0.0', '::'];
const WHO = 'location = /who { return 200 "$remote_addr $remote_port"; access_log LOG; }';

/** Where a client is, what it asks, and the address by which the server knows it; `real`: its port is the client's own as well. */
interface Way {
  readonly name: string;
  readonly from: 'host' | 'far';
  readonly address: string;
  readonly seen: string;
  readonly real?: boolean;
}

const WAYS: readonly Way[] = [
  { name: 'from another host, IPv4', from: 'far', address: HOST4, seen: TARGET4, real: true },
  { name: 'from another host, IPv6', from: 'far', address: HOST6, seen: TARGET6, real: true },
  { name: "from the host's address, IPv4", from: 'host', address: HOST4, seen: GATEWAY4 },
  { name: "from the host's address, IPv6", from: 'host', address: HOST6, seen: GATEWAY6 },
  { name: "from the host's loopback, IPv4", from: 'host', address: '127.0.0.1', seen: HOST4 },
  { name: "from the host's loopback, IPv6", from: 'host', address: '::1', seen: HOST6 },
];

describe('real servers in the guest', function () {
  this.timeout(60_000);
  let topology: Topology;
  let translator: Translator;
  let web: WebServer;
  let ssh: Ssh;
  let sql: Running;
  let dns: Running;

  before(async () => {
    topology = makeTopology();
    const options = ['-t', `${WEB},${SSH},${SQL},${DNS}:53`, '-u', `${DNS}:53`, '-T', 'none', '-U', 'none'];
    translator = await startTranslator('ravioli', topology, { options });
    const locations = WHO.replace('LOG', `${topology.folder}/who.log`);
    web = await startNginx(topology, translator.guest, ANY, WEB, { locations });
    ssh = await startSshd(topology, translator.guest, ANY, SSH);
    const certificate = makeCertificate(topology, [HOST4]);
    sql = await startPostgres(topology, translator.guest, ANY, SQL, certificate, { log_connections: 'on' });
    dns = await startUnbound(topology, translator.guest, ANY, { 'known.test': '203.0.113.9' }, { logsQueries: true });
  });

  after(async () => {
    for (const server of [web, ssh, sql, dns]) await server?.stop();
    await translator?.stop();
    topology?.remove();
  });

  const client = (way: Way, argv: readonly string[], env: Record<string, string> = {}): Promise<string> =>
    check(argv, { namespace: topology[way.from], env, timeout: 20_000 });

  /** Fails unless `address` is how the server should know who comes that `way`. */
  function expectSeen({ seen }: Way, address: string | undefined): void {
    expect(address).to.equal(seen);
  }

  /** The last that the server has written of `pattern`: its first group. */
  const lastLogged = (text: string, pattern: RegExp): string | undefined => [...text.matchAll(pattern)].at(-1)?.[1];

  for (const way of WAYS) {
    it(`nginx ${way.name}`, async () => {
      const url = `http://${bracketed(way.address)}:${WEB}/who`;
      const [answer, port] = (await client(way, ['curl', '-sS', '--fail', '-w', '\\n%{local_port}', url])).split('\n');
      const [address, seenPort] = (answer as string).split(' ');
      expectSeen(way, address);
      if (way.real) expect(seenPort).to.equal(port);
      expectSeen(way, lastLogged(readFileSync(`${topology.folder}/who.log`, 'utf8'), /^(\S+) .*"GET \/who/gm));
    });

    it(`sshd ${way.name}`, async () => {
      const words = ['ssh', ...ssh.options, '-p', String(SSH), `root@${way.address}`, 'echo $SSH_CLIENT'];
      const [address, port] = (await client(way, words)).split(' ') as [string, string];
      expectSeen(way, address.replace(/%.*/, ''));
      await ssh.waitFor(new RegExp(`Accepted publickey for root from ${address} port ${port} `));
    });

    it(`PostgreSQL ${way.name}`, async () => {
      const query = 'select host(inet_client_addr()), inet_client_port()';
      const env = postgresClient(way.address, SQL, true);
      const [address, port] = (await client(way, ['psql', '-XAt', '-F', ' ', '-c', query], env)).trim().split(' ') as [string, string];
      expectSeen(way, address);
      await sql.waitFor(new RegExp(`connection received: host=${address}(?:%\\w+)? port=${port}`));
    });

    for (const protocol of ['notcp', 'tcp'])
      it(`a DNS server ${way.name}, ${protocol === 'tcp' ? 'TCP' : 'UDP'}`, async () => {
        const before = dns.stderr().length;
        const words = ['dig', `@${way.address}`, '-p', String(DNS), `+${protocol}`, '+short', '+tries=1', '+time=5', 'known.test'];
        expect((await client(way, words)).trim()).to.equal('203.0.113.9');
        expectSeen(way, lastLogged(dns.stderr().slice(before), /info: (\S+) known\.test\. A IN/g));
      });
  }
});
