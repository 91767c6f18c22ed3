/** The socket that tells of a run: one line for one question, whoever asks what. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { MAX_FLOWS } from '../../../shared/limits.ts';
import { CLIENT_MS } from '../../../supervisor/control/reception.ts';
import { StatusClient } from '../../../supervisor/control/status-client.ts';
import { StatusServer, type StatusSource } from '../../../supervisor/control/status-server.ts';
import { native } from '../../native/rooms.ts';

describe('supervisor/control/status-server', function () {
  this.timeout(20_000);
  let folder: string;
  let server: StatusServer;
  const asked: number[] = [];
  const sockets: Socket[] = [];
  const source: StatusSource = {
    status: async () => ({ pid: 7 }),
    flows: async (first) => {
      asked.push(first);
      return { next: 0, flows: [] };
    },
  };

  function open(given: Partial<StatusSource> = {}, clientMs = CLIENT_MS): string {
    const log = { info: () => undefined, warning: () => undefined };
    const parts = { native, log, uid: process.geteuid?.() as number, clientMs, isRefused: () => false };
    server = new StatusServer(parts, join(folder, 'socket'));
    server.serve({ ...source, ...given });
    return join(folder, 'socket');
  }

  function raw(path: string): Socket {
    const socket = connect({ path });
    socket.on('error', () => undefined);
    sockets.push(socket);
    return socket;
  }

  /** What comes until the server closes. */
  async function rest(socket: Socket): Promise<string> {
    const pieces: Buffer[] = [];
    socket.on('data', (piece) => pieces.push(piece));
    await once(socket, 'close');
    return Buffer.concat(pieces).toString();
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'status-'));
    asked.length = 0;
  });

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('answers one question after the other', async () => {
    const path = open();
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    const client = new StatusClient(path);
    expect(await client.ask('status')).to.deep.equal({ pid: 7 });
    for (const first of [0, 5, MAX_FLOWS - 1]) await client.ask(`flows ${first}`);
    expect(asked).to.deep.equal([0, 5, MAX_FLOWS - 1]);
    client.close();
  });

  for (const question of [
    'stop\n',
    '\n',
    'flows\n',
    'flows -1\n',
    'flows 01\n',
    `flows ${MAX_FLOWS}\n`,
    'status\nstatus\n',
    'x'.repeat(64),
  ]) {
    it(`sends away who says ${JSON.stringify(question.slice(0, 20))}, and serves the next`, async () => {
      const path = open();
      const socket = raw(path);
      socket.write(question);
      expect(await rest(socket)).to.equal('');
      expect(asked).to.deep.equal([]);
      const client = new StatusClient(path);
      expect(await client.ask('status')).to.deep.equal({ pid: 7 });
      client.close();
    });
  }

  it('takes a question in single bytes', async () => {
    const socket = raw(open());
    for (const byte of 'status\n') await new Promise((resolve) => socket.write(byte, resolve));
    expect(String((await once(socket, 'data'))[0])).to.equal('{"pid":7}\n');
  });

  it('sends away who is silent, who never reads, and who asks when the worker is', async () => {
    const long = { text: 'x'.repeat(4_000_000) };
    const path = open({ status: async () => long, flows: () => new Promise(() => {}) }, 50);
    expect(await rest(raw(path))).to.equal('');
    const reader = raw(path);
    reader.pause();
    reader.write('status\n');
    const hanging = raw(path);
    hanging.write('flows 0\n');
    expect(await rest(hanging)).to.equal('');
  });

  it('gives an answer that is longer than the kernel holds, as fast as it is read', async () => {
    const long = { text: 'x'.repeat(4_000_000) };
    const client = new StatusClient(open({ status: async () => long }));
    expect(await client.ask('status')).to.deep.equal(long);
    client.close();
  });
});
