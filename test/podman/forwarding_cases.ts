/**
 * Published ports: every form of `-p` and of pasta's own words, for each protocol, family and way into the container.
 */
import { createHash, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { HOST4, HOST6 } from '../support/topology.ts';
import { type Case, type Kind, receiving, send, startListening } from './case.ts';
import { listening, type Rig } from './rig.ts';

const FIRST = 5100;
const KINDS: readonly Kind[] = ['tcp', 'tcp6', 'udp', 'udp6'];

/** How the sender comes in: by the host's address, which goes through the tap, or by its loopback, which is spliced. */
type Way = 'tap' | 'loopback';
const WAYS: readonly Way[] = ['tap', 'loopback'];

interface Form {
  readonly title: string;
  readonly ports: number;
  /** What is added to a port's number on the way in. */
  readonly shift: number;
  readonly bound: 'not' | 'address' | 'interface';
}

const FORMS: readonly Form[] = [
  { title: 'one port', ports: 1, shift: 0, bound: 'not' },
  { title: 'a range', ports: 3, shift: 0, bound: 'not' },
  { title: 'another port', ports: 1, shift: 1, bound: 'not' },
  { title: 'another range', ports: 3, shift: 1, bound: 'not' },
  { title: 'of one address', ports: 1, shift: 0, bound: 'address' },
  { title: 'of one interface', ports: 1, shift: 0, bound: 'interface' },
];

function hostAddress(kind: Kind, way: Way): string {
  if (way === 'tap') return kind.endsWith('6') ? HOST6 : HOST4;
  return kind.endsWith('6') ? '::1' : '127.0.0.1';
}

function range(first: number, count: number): string {
  return count === 1 ? String(first) : `${first}-${first + count - 1}`;
}

/** Podman's words that publish the ports. */
function publishing(kind: Kind, way: Way, form: Form): string[] {
  const [outer, inner] = [range(FIRST, form.ports), range(FIRST + form.shift, form.ports)];
  const address = hostAddress(kind, way);
  const bracketed = kind.endsWith('6') ? `[${address}]` : address;
  const protocol = kind.slice(0, 3);
  if (form.bound === 'interface')
    return [`--network=pasta:--${protocol}-ports,${address}%${way === 'tap' ? 'eth0' : 'lo'}/${outer}:${inner}`];
  return ['-p', `${form.bound === 'address' ? `${bracketed}:` : ''}${outer}:${inner}/${protocol}`];
}

function forwarding(kind: Kind, way: Way, form: Form): Case {
  return {
    title: `${kind.toUpperCase()} by ${way}: ${form.title}`,
    async check(rig) {
      const inner = Array.from({ length: form.ports }, (_, index) => FIRST + form.shift + index);
      const command = `${inner.map((port) => `${receiving(kind, port)} & `).join('')}wait`;
      const container = await startListening(rig, publishing(kind, way, form), kind, inner, command);
      for (const port of inner) await send(rig, kind, hostAddress(kind, way), port - form.shift, 'x');
      const end = await container.finished;
      expect(end.stdout).to.equal('x'.repeat(form.ports));
      expect(end.code, 'the end of data has not arrived').to.equal(0);
    },
  };
}

function transfer(kind: Kind, way: Way, size: number, title: string): Case {
  return {
    title: `${kind.toUpperCase()} by ${way}: ${title}`,
    async check(rig) {
      const bytes = randomBytes(size);
      const command = `${receiving(kind, FIRST)} > /tmp/got; wc -c < /tmp/got; md5sum < /tmp/got`;
      // Without the end of data the container is killed, and has not counted.
      const container = await startListening(rig, ['-p', `${FIRST}:${FIRST}/${kind.slice(0, 3)}`], kind, [FIRST], command);
      await send(rig, kind, hostAddress(kind, way), FIRST, bytes);
      const end = await container.finished;
      expect(end.stdout).to.equal(`${size}\n${createHash('md5').update(bytes).digest('hex')}  -\n`);
    },
  };
}

function transfers(kind: Kind, way: Way): Case[] {
  const large = kind.startsWith('tcp')
    ? transfer(kind, way, 10 << 20, '10 MiB')
    : transfer(kind, way, 52 << 10, '52 KiB in datagrams of 8 KiB');
  return [transfer(kind, way, 2048, '2 KiB'), large];
}

/** Ports of both protocols, in one container; and that a port which is taken is told and nothing kept. */
const TOGETHER: readonly Case[] = [
  {
    title: 'TCP and UDP of one number, published twice',
    async check(rig) {
      const command = `${receiving('tcp', 5300)} & ${receiving('udp', 5300)} & wait`;
      const words = ['-p', '5300:5300', '-p', '5300:5300/udp', '-p', '127.0.0.1:5301:5300'];
      const container = await startListening(rig, words, 'tcp', [5300], command);
      await send(rig, 'udp', HOST4, 5300, 'u');
      await send(rig, 'tcp', '127.0.0.1', 5301, 't');
      expect([...(await container.finished).stdout].sort().join('')).to.equal('tu');
    },
  },
  {
    title: 'a container’s own port, with podman’s choice outside (-P, EXPOSE)',
    async check(rig) {
      const container = await startListening(rig, ['--name=exposed', '-P', '--expose=5400'], 'tcp', [5400], receiving('tcp', 5400));
      const port = Number((await rig.podman('port', 'exposed', '5400')).split(':').at(-1));
      await send(rig, 'tcp', '127.0.0.1', port, 'x');
      expect((await container.finished).stdout).to.equal('x');
    },
  },
  {
    title: 'pesto adds and deletes ports of a container that runs',
    async check(rig) {
      const pesto = (...words: string[]) => rig.run(['/opt/under-test/bin/pesto', ...words, '/tmp/pasta.sock']);
      const words = ['--name=late', '--network=pasta:-c,/tmp/pasta.sock'];
      const container = await startListening(rig, words, 'tcp', [5500], receiving('tcp', 5500));
      const rules = ['-t', `127.0.0.1/5501:${HOST4}/5500`, '-t', `[::]/5502:${HOST6}/5500`];
      const added = await pesto('--add', ...rules);
      expect(added.code, added.stderr).to.equal(0);
      expect((await pesto('--add', ...rules)).code).to.equal(1);
      await send(rig, 'tcp', '127.0.0.1', 5501, 'x');
      expect((await container.finished).stdout).to.equal('x');
    },
  },
  {
    title: 'a port that is taken is told, and nothing is kept',
    async check(rig: Rig) {
      const words = ['podman', 'run', '-d', '-p', '5600:80', 'localhost/guest', 'sleep', '100'];
      expect((await rig.run(words)).code).to.equal(0);
      const before = listening(rig.topology.host);
      const second = await rig.run(words);
      expect(second.stderr).to.match(/5600.*ddress already in use/);
      expect(second.code).to.equal(126);
      expect(listening(rig.topology.host)).to.deep.equal(before);
    },
  },
];

const all = (make: (kind: Kind, way: Way) => Case[]): Case[] => KINDS.flatMap((kind) => WAYS.flatMap((way) => make(kind, way)));

export const FORWARDING: readonly Case[] = [...all((kind, way) => FORMS.map((form) => forwarding(kind, way, form))), ...TOGETHER];
export const TRANSFERS: readonly Case[] = all(transfers);
