/**
 * QUIC between two programs of ngtcp2, and what each of them writes down (qlog): which packets it has sent, and which have come in what order.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { check, type Running, start } from './processes.ts';
import { bracketed, type Certificate, foldered } from './servers.ts';
import type { Topology } from './topology.ts';

const HOUR = 3_600_000;

export interface QuicServer extends Running {
  readonly url: string;
  readonly address: string;
  readonly port: number;
  /** Folder of its qlogs, one for each connection; complete when it has ended (`stop('SIGINT')`). */
  readonly logs: string;
}

/** HTTP/3 from the files of a folder, on one address. */
export async function startQuicServer(
  topology: Topology,
  namespace: string | number,
  [address, port]: readonly [address: string, port: number],
  folder: string,
  certificate: Certificate,
): Promise<QuicServer> {
  const logs = foldered(topology, `quic-${port}`);
  rmSync(logs, { recursive: true });
  mkdirSync(logs);
  const words = ['gtlsserver', '-q', `--htdocs=${folder}`, `--qlog-dir=${logs}`, address, String(port), certificate.key, certificate.file];
  const server = start(words, { namespace, user: 0, timeout: HOUR });
  await server.waitFor(/document root/);
  return { ...server, url: `https://${bracketed(address)}:${port}`, address, port, logs };
}

export interface QuicRequest {
  /** Paths of one connection's requests, all at once. */
  readonly paths: readonly string[];
  /** File that is sent with each request, by PUT; default: none, by GET. */
  readonly body?: string;
  /** Folder for what is got. */
  readonly into?: string;
  /** Bytes that may be under way to the client; default: as the program finds best. */
  readonly window?: number;
}

/** One connection from a namespace; returns the path of the client's qlog. Throws when the client fails. */
export async function requestByQuic(
  topology: Topology,
  namespace: string | number,
  server: QuicServer,
  given: QuicRequest,
): Promise<string> {
  const log = `${topology.folder}/client.qlog`;
  const limits = ['max-data', 'max-stream-data-bidi-local', 'max-window', 'max-stream-window'];
  const options = [
    ...(given.body === undefined ? [] : ['-m', 'PUT', `--data=${given.body}`]),
    ...(given.into === undefined ? [] : [`--download=${given.into}`]),
    ...(given.window === undefined ? [] : limits.map((name) => `--${name}=${given.window}`)),
  ];
  const urls = given.paths.map((path) => `${server.url}/${path}`);
  const fixed = ['gtlsclient', '-q', '--exit-on-all-streams-close', `--qlog-file=${log}`];
  await check([...fixed, ...options, server.address, String(server.port), ...urls], { namespace, timeout: 100_000 });
  return log;
}

export interface QuicLog {
  /** Names of packets, KIND and number, in the order in which they left and came. */
  readonly sent: readonly string[];
  readonly received: readonly string[];
  /** Packets with each mark of RFC 3168 that the other end has told of last (RFC 9000 §19.3.2). */
  readonly marks: { readonly ect0: number; readonly ect1: number; readonly ce: number };
}

/** Reads a qlog. */
export function readQuicLog(path: string): QuicLog {
  const sent: string[] = [];
  const received: string[] = [];
  let marks = { ect0: 0, ect1: 0, ce: 0 };
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const [, event] = /"name":"transport:packet_(sent|received)"/.exec(line) ?? [];
    const [, kind, number] = /"packet_type":"(\w+)","packet_number":(\d+)/.exec(line) ?? [];
    if (event === undefined || kind === undefined) continue;
    (event === 'sent' ? sent : received).push(`${kind} ${number}`);
    const told = event === 'received' && kind === '1RTT' && /"ect1":(\d+),"ect0":(\d+),"ce":(\d+)/.exec(line);
    if (told) marks = { ect1: Number(told[1]), ect0: Number(told[2]), ce: Number(told[3]) };
  }
  return { sent, received, marks };
}

/** The qlog of a server's only connection. */
export function readServerLog(server: QuicServer): QuicLog {
  const [log, ...others] = readdirSync(server.logs);
  if (log === undefined || others.length > 0) throw new Error(`${server.logs} has not the log of one connection`);
  return readQuicLog(`${server.logs}/${log}`);
}
