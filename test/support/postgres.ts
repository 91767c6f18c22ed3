/**
 * PostgreSQL as a server for system tests, and its client's words. The cluster is the run's own, in memory, and trusts everybody.
 */
import { appendFileSync, chownSync, copyFileSync, chmodSync, readdirSync } from 'node:fs';
import { check, type Running, run, start, UNPRIVILEGED } from './processes.ts';
import { accepting, type Certificate, foldered } from './servers.ts';
import type { Topology } from './topology.ts';

const HOUR = 3_600_000;
const INSTALLED = '/usr/lib/postgresql';

/** Path of a program that Debian keeps apart for each version of PostgreSQL; the newest that is there. */
export function postgresProgram(name: string): string {
  const versions = readdirSync(INSTALLED).sort((a, b) => Number(b) - Number(a));
  return `${INSTALLED}/${versions[0]}/bin/${name}`;
}

/** A cluster with one empty database `load`, for any user, with and without TLS. `more`: settings of its own. */
export async function startPostgres(
  topology: Topology,
  namespace: string | number,
  addresses: readonly string[],
  port: number,
  certificate: Certificate,
  more: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const base = foldered(topology, 'postgres');
  chownSync(base, UNPRIVILEGED, UNPRIVILEGED);
  const data = `${base}/data`;
  await check([postgresProgram('initdb'), '-D', data, '-U', 'postgres', '--auth=trust', '--no-sync', '--locale=C', '-E', 'UTF8']);
  appendFileSync(`${data}/pg_hba.conf`, 'host all all all trust\n');
  copyFileSync(certificate.file, `${data}/server.crt`);
  copyFileSync(certificate.key, `${data}/server.key`);
  chmodSync(`${data}/server.key`, 0o600);
  chownSync(`${data}/server.key`, UNPRIVILEGED, UNPRIVILEGED);
  const settings = {
    listen_addresses: addresses.join(','),
    port,
    unix_socket_directories: base,
    max_connections: 120,
    shared_buffers: '128MB',
    max_wal_size: '256MB',
    wal_level: 'minimal',
    max_wal_senders: 0,
    fsync: 'off',
    synchronize_seqscans: 'off',
    checkpoint_timeout: '1h',
    autovacuum: 'off',
    ssl: 'on',
    ...more,
  };
  const words = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = start([postgresProgram('postgres'), '-D', data, ...words], { namespace, timeout: HOUR });
  await accepting(server, namespace, addresses[0] as string, port);
  // It accepts before it has recovered; what is said until then is an error.
  const create = [postgresProgram('createdb'), '-h', base, '-p', String(port), '-U', 'postgres', 'load'];
  for (const limit = Date.now() + 10_000; (await run(create)).code !== 0; )
    if (Date.now() > limit) throw new Error(`PostgreSQL does not start: ${server.stderr()}`);
  return server;
}

/** libpq's variables for a client of the database `load`. */
export function postgresClient(address: string, port: number, tls: boolean): Record<string, string> {
  const session = { PGHOST: address, PGPORT: String(port), PGUSER: 'postgres', PGDATABASE: 'load', PGCONNECT_TIMEOUT: '10' };
  return { ...session, PGSSLMODE: tls ? 'require' : 'disable', PGGSSENCMODE: 'disable' };
}
