/**
 * Real servers for system tests, each in a given namespace with its files in the run's folder. A server is ready when its function
 * resolves, and ends with `stop()`, or with the test runner.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { check, type Running, run, start, UNPRIVILEGED } from './processes.ts';
import type { Topology } from './topology.ts';

const HOUR = 3_600_000;

/** Writes an address the way URLs and configuration files want it. */
export function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** Waits until a TCP port accepts; throws with the server's words when it ends or ten seconds pass. */
export async function accepting(server: Running, namespace: string | number, address: string, port: number): Promise<Running> {
  let ended = false;
  server.finished.then(() => {
    ended = true;
  });
  for (const limit = Date.now() + 10_000; Date.now() < limit && !ended; ) {
    const probe = await run(['nc', '-z', '-w', '1', address, String(port)], { namespace, user: 0, timeout: 3000 });
    if (probe.code === 0) return server;
    await pause(20);
  }
  throw new Error(`${address} port ${port} does not accept: ${server.stderr()}${server.stdout()}`);
}

/** A folder of this run, which everybody may read. */
export function foldered(topology: Topology, name: string): string {
  const folder = `${topology.folder}/${name}`;
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o755);
  return folder;
}

export interface Certificate {
  /** PEM files, which everybody may read: nothing here is secret. */
  readonly file: string;
  readonly key: string;
}

/** A certificate that is its own authority, for some addresses. */
export function makeCertificate(topology: Topology, addresses: readonly string[]): Certificate {
  const base = foldered(topology, 'certificate');
  const [file, key] = [`${base}/own.crt`, `${base}/own.key`];
  const names = addresses.map((address) => `IP:${address}`).join(',');
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const line = ['req', ...kind, '-subj', '/CN=far', '-addext', `subjectAltName=${names}`, '-out', file, '-keyout', key];
  execFileSync('openssl', line, { stdio: 'ignore' });
  chmodSync(key, 0o644);
  return { file, key };
}

export interface WebServer extends Running {
  /** Folder whose files it serves; `PUT /up/NAME` writes below it. */
  readonly folder: string;
}

export interface WebOptions {
  /** TLS with this certificate; default: none. */
  readonly certificate?: Certificate;
  /** HTTP/2; without a certificate nginx then speaks nothing else on the port. Default: HTTP/1.1. */
  readonly http2?: boolean;
  /** More `location` blocks of nginx.conf. */
  readonly locations?: string;
}

/** nginx on some addresses: GET from its folder, PUT below /up. A connection may carry any number of requests. */
export async function startNginx(
  topology: Topology,
  namespace: string | number,
  addresses: readonly string[],
  port: number,
  given: WebOptions = {},
): Promise<WebServer> {
  const base = foldered(topology, `nginx-${port}`);
  const folder = foldered(topology, `nginx-${port}/www`);
  mkdirSync(`${folder}/up`, { recursive: true });
  const kind = `${given.certificate ? ' ssl' : ''}${given.http2 ? ' http2' : ''}`;
  const listen = addresses.map((address) => `listen ${bracketed(address)}:${port}${kind};`).join(' ');
  const tls = given.certificate ? `ssl_certificate ${given.certificate.file}; ssl_certificate_key ${given.certificate.key};` : '';
  writeFileSync(
    `${base}/nginx.conf`,
    `daemon off; user root; worker_processes 1; pid ${base}/pid; error_log stderr warn;
events { worker_connections 4096; }
http { access_log off; client_max_body_size 0; client_body_temp_path ${base}/body; proxy_temp_path ${base}/p; fastcgi_temp_path ${base}/f;
uwsgi_temp_path ${base}/u; scgi_temp_path ${base}/s; sendfile on; keepalive_timeout 65; keepalive_requests 100000000; ${tls}
server { ${listen} root ${folder}; location /up { dav_methods PUT; create_full_put_path on; } ${given.locations ?? ''} } }\n`,
  );
  const server = start(['nginx', '-p', base, '-c', `${base}/nginx.conf`], { namespace, user: 0, timeout: HOUR });
  await accepting(server, namespace, addresses[0] as string, port);
  return { ...server, folder };
}

/** Checksum of a file. */
export async function sumOf(file: string): Promise<string> {
  return (await check(['md5sum', file], { user: 0 })).split(' ')[0] as string;
}

/** Checksum of what curl gets from a URL. */
export async function download(namespace: string | number, url: string): Promise<string> {
  const command = `set -o pipefail; curl -sS --fail --max-time 100 '${url}' | md5sum`;
  return (await check(['bash', '-c', command], { namespace, timeout: 110_000 })).split(' ')[0] as string;
}

/** Checksum of what a server has got from curl, which sends it a file; `url` is the server's root. */
export async function upload(namespace: string | number, url: string, file: string, server: WebServer): Promise<string> {
  await check(['curl', '-sS', '--fail', '--max-time', '100', '-T', file, `${url}/up/copy`], { namespace, timeout: 110_000 });
  const sum = await sumOf(`${server.folder}/up/copy`);
  rmSync(`${server.folder}/up/copy`);
  return sum;
}

export interface Ssh extends Running {
  /** Options and destination of ssh for a user who may log in; scp takes the same with `-P`. */
  readonly options: string[];
}

/** sshd with keys of its own, on one address or some; root may log in with the key that UNPRIVILEGED holds. It logs to stderr. */
export async function startSshd(
  topology: Topology,
  namespace: string | number,
  addresses: string | readonly string[],
  port: number,
): Promise<Ssh> {
  const [first, ...others] = typeof addresses === 'string' ? [addresses] : addresses;
  const base = foldered(topology, `sshd-${port}`);
  for (const name of ['host', 'user']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', `${base}/${name}`]);
  writeFileSync(`${base}/authorized`, readFileSync(`${base}/user.pub`), { mode: 0o600 });
  chownSync(`${base}/user`, UNPRIVILEGED, UNPRIVILEGED);
  mkdirSync('/run/sshd', { recursive: true });
  const settings = [`HostKey ${base}/host`, `AuthorizedKeysFile ${base}/authorized`, 'PermitRootLogin yes', 'StrictModes no', 'UsePAM no'];
  writeFileSync(`${base}/config`, `${[...settings, `PidFile ${base}/pid`, 'Subsystem sftp internal-sftp', ''].join('\n')}`);
  const listen = [first, ...others].flatMap((address) => ['-o', `ListenAddress=${address}`]);
  const line = ['/usr/sbin/sshd', '-D', '-e', '-f', `${base}/config`, '-p', String(port), ...listen];
  const server = start(line, { namespace, user: 0, timeout: HOUR });
  await accepting(server, namespace, first as string, port);
  const quiet = ['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR', '-o', 'BatchMode=yes'];
  return { ...server, options: ['-F', 'none', '-i', `${base}/user`, '-o', 'IdentitiesOnly=yes', ...quiet] };
}

/** dnsmasq that knows a few names: `NAME=ADDRESS` pairs and one long TXT record `long.test` that does not fit a datagram. */
export async function startDnsmasq(
  topology: Topology,
  namespace: string | number,
  addresses: readonly string[],
  names: Readonly<Record<string, string>>,
  folder = 'dnsmasq',
): Promise<Running> {
  const base = foldered(topology, folder);
  const records = Object.entries(names).map(([name, address]) => `--address=/${name}/${address}`);
  const long = Array.from({ length: 12 }, (_, index) => `--txt-record=long.test,${String(index).padStart(3, '0').repeat(70)}`);
  const listen = addresses.map((address) => `--listen-address=${address}`);
  const fixed = ['-k', '-C', '/dev/null', '--no-resolv', '--no-hosts', '--bind-interfaces', '--user=root', `--pid-file=${base}/pid`];
  const server = start(['dnsmasq', ...fixed, ...listen, ...records, ...long], { namespace, user: 0, timeout: HOUR });
  return accepting(server, namespace, addresses[0] as string, 53);
}

/** iperf3 server for any number of tests, one at a time. */
export async function startIperf(namespace: string | number, address: string, port = 5201): Promise<Running> {
  const server = start(['iperf3', '-s', '-B', address, '-p', String(port), '--forceflush'], { namespace, user: 0, timeout: HOUR });
  await server.waitFor(/Server listening/);
  return server;
}

/** `git daemon` with a repository `work.git` of some commits and one file of 4 MB. */
export async function startGitDaemon(topology: Topology, namespace: string | number, address: string, port = 9418): Promise<Running> {
  const base = foldered(topology, 'git');
  if (!existsSync(`${base}/work.git`)) {
    const script = `git init -q work && cd work && git config user.email a@b && git config user.name a && head -c 4000000 /dev/urandom > big
      git add big && git commit -qm first && for i in 1 2 3 4 5; do echo $i > file && git add file && git commit -qm "$i"; done
      cd .. && git clone -q --bare work work.git`;
    await check(['sh', '-ec', script], { user: 0, cwd: base, env: { HOME: base } });
  }
  const line = ['git', 'daemon', '--export-all', `--base-path=${base}`, `--listen=${address}`, `--port=${port}`, '--reuseaddr'];
  const server = start(line, { namespace, user: 0, timeout: HOUR, env: { HOME: base } });
  return accepting(server, namespace, address, port);
}

/** rsync's daemon with two modules: `tree` to read from, `up` to write to, folders of the run. */
export async function startRsync(topology: Topology, namespace: string | number, address: string, port: number): Promise<Running> {
  const base = foldered(topology, 'rsync');
  for (const name of ['tree', 'up']) mkdirSync(`${base}/${name}`, { recursive: true });
  const module = (name: string, more: string): string => `[${name}]\npath = ${base}/${name}\n${more}\n`;
  const settings = `uid = 0\ngid = 0\nuse chroot = no\nreverse lookup = no\nlog file = ${base}/log\n`;
  writeFileSync(`${base}/config`, settings + module('tree', 'read only = yes') + module('up', 'read only = no'));
  // With a socket as standard input, as Node.js gives one, it would serve that instead.
  const line = `exec rsync --daemon --no-detach --config=${base}/config --address=${address} --port=${port} < /dev/null`;
  const server = start(['sh', '-c', line], { namespace, user: 0, timeout: HOUR });
  return accepting(server, namespace, address, port);
}
