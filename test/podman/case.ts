/**
 * A case of the acceptance suite, and the words most of them are written in.
 */
import { expect } from 'chai';
import type { Running } from '../support/processes.ts';
import { IMAGE, listens, type Rig } from './rig.ts';

/** What users of podman rely on. It throws when the machine's pasta does not give it. */
export interface Case {
  readonly title: string;
  /** It uses what both columns share (processors, the user's kernel limits) up: they take turns. */
  readonly alone?: true;
  check(rig: Rig): Promise<void>;
}

/** Runs a shell command in a container that is removed at its end, and gives what it wrote. */
export function inContainer(rig: Rig, words: readonly string[], command: string): Promise<string> {
  return rig.podman('run', '--rm', ...words, IMAGE, 'sh', '-c', command);
}

/** The kinds of sockets that socat has, one for each file of /proc/net. */
export type Kind = 'tcp' | 'tcp6' | 'udp' | 'udp6';

function address(kind: Kind, role: 'listen' | 'connect'): string {
  const base = `${kind.slice(0, 3).toUpperCase()}${kind.endsWith('6') ? '6' : '4'}`;
  return role === 'listen' ? `${base}-LISTEN` : base;
}

/** A shell command that writes what arrives at a port, until the end of data, which UDP tells by an empty datagram. */
export function receiving(kind: Kind, port: number): string {
  return `socat -u -b 8192 ${address(kind, 'listen')}:${port}${kind.startsWith('udp') ? ',null-eof' : ''} STDOUT`;
}

/** Sends bytes from the machine to a port, and the end of data. */
export async function send(rig: Rig, kind: Kind, to: string, port: number, bytes: string | Uint8Array): Promise<void> {
  const where = `${address(kind, 'connect')}:${kind.endsWith('6') ? `[${to}]` : to}:${port}`;
  const words = ['socat', '-u', '-b', '8192', 'STDIN', `${where}${kind.startsWith('udp') ? ',shut-null' : ''}`];
  const end = await rig.run(words, { input: bytes });
  expect(end.code, `${words.join(' ')}: ${end.stderr}`).to.equal(0);
}

/** Starts a container with a shell command that listens; resolves when it does, on all ports. */
export async function startListening(
  rig: Rig,
  words: readonly string[],
  kind: Kind,
  ports: readonly number[],
  command: string,
): Promise<Running> {
  const container = rig.start(['podman', 'run', '--rm', ...words, IMAGE, 'sh', '-c', command]);
  const ended = container.finished.then((end) => {
    throw new Error(`podman run ${words.join(' ')}: exit ${end.code}: ${end.stderr}`);
  });
  ended.catch(() => undefined);
  await Promise.race([Promise.all(ports.map((port) => listens(rig, 'socat', kind, port))), ended]);
  return container;
}
