/**
 * unbound as the DNS server of tests that ask much of one: it answers from memory, by UDP, TCP and TLS.
 */
import { writeFileSync } from 'node:fs';
import { type Running, start } from './processes.ts';
import { accepting, type Certificate, foldered } from './servers.ts';
import type { Topology } from './topology.ts';

const HOUR = 3_600_000;
const PORT = 53;
/** DNS over TLS (RFC 7858 §3.1). */
export const TLS_PORT = 853;
/** Connections at a time; each costs it two buffers. */
const CONNECTIONS = 1000;
/** What waits for it while the machine does other work. */
const BUFFER = 8_000_000;

export interface UnboundOptions {
  /** Also serves TLS on TLS_PORT, with this certificate. */
  readonly certificate?: Certificate;
  /** Each query is logged, with who asks. */
  readonly logsQueries?: boolean;
  /** Name of its folder; default `unbound`. */
  readonly folder?: string;
}

/** Starts it on some addresses; `names`: what it knows, and all that it knows. It asks nobody. */
export async function startUnbound(
  topology: Topology,
  namespace: string | number,
  addresses: readonly string[],
  names: Readonly<Record<string, string>>,
  given: UnboundOptions = {},
): Promise<Running> {
  const base = foldered(topology, given.folder ?? 'unbound');
  const { certificate } = given;
  const ports = certificate ? [PORT, TLS_PORT] : [PORT];
  const listen = addresses.flatMap((address) => ports.map((port) => `interface: ${address}@${port}`));
  const tls = certificate ? [`tls-port: ${TLS_PORT}`, `tls-service-key: ${certificate.key}`, `tls-service-pem: ${certificate.file}`] : [];
  const records = Object.entries(names).map(([name, address]) => `local-data: "${name}. A ${address}"`);
  const lines = [
    ...['username: ""', 'chroot: ""', 'pidfile: ""', 'use-syslog: no', 'do-daemonize: no', 'module-config: "iterator"', 'verbosity: 1'],
    ...[
      'num-threads: 1',
      `so-rcvbuf: ${BUFFER}`,
      `so-sndbuf: ${BUFFER}`,
      `incoming-num-tcp: ${CONNECTIONS}`,
      'do-not-query-localhost: yes',
    ],
    ...[
      'access-control: 0.0.0.0/0 allow',
      'access-control: ::/0 allow',
      `log-queries: ${given.logsQueries === true ? 'yes' : 'no'}`,
      'local-zone: "." static',
      ...records,
      ...listen,
      ...tls,
    ],
  ];
  writeFileSync(`${base}/unbound.conf`, `server:\n${lines.map((line) => `  ${line}\n`).join('')}remote-control:\n  control-enable: no\n`);
  const server = start(['unbound', '-d', '-c', `${base}/unbound.conf`], { namespace, user: 0, timeout: HOUR });
  return accepting(server, namespace, addresses[0] as string, PORT);
}
