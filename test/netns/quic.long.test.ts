/**
 * QUIC between real endpoints: what one sends is what the other gets, packet for packet and in order. Both write down the numbers of
 * their packets, so a packet that is lost, doubled or overtaken on the way is seen, though QUIC itself would mend it.
 */
import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { type QuicLog, type QuicServer, readQuicLog, readServerLog, requestByQuic, startQuicServer } from '../support/quic.ts';
import { type Certificate, foldered, makeCertificate } from '../support/servers.ts';
import { countDropped } from '../support/snmp.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const PORT = 4433;
const LARGE_BYTES = 100_000_000;
const STREAMS = 200;
const SMALL_BYTES = 100_000;
/** Bytes under way that find room in a socket's buffer of default size, with what the kernel accounts for each packet. */
const WINDOW = 40_000;

/** Packets of `sent` that `received` has not, up to the last that it has: behind that, the client has gone, and hears of nothing any more. */
function missing(sent: readonly string[], received: readonly string[]): string[] {
  const there = new Set(received);
  return sent.slice(0, sent.findLastIndex((packet) => there.has(packet)) + 1).filter((packet) => !there.has(packet));
}

/** Packets that have come later than one with a larger number, or once more. */
function overtaken(received: readonly string[]): string[] {
  const last = new Map<string, number>();
  return received.filter((packet) => {
    const [kind = '', number] = packet.split(' ');
    const late = Number(number) <= (last.get(kind) ?? -1);
    if (!late) last.set(kind, Number(number));
    return late;
  });
}

for (const target of [TARGET4, TARGET6]) {
  describe(`QUIC to ${target}`, function () {
    this.timeout(120_000);
    let topology: Topology;
    let translator: Translator;
    let certificate: Certificate;
    let server: QuicServer;
    let files: string;
    let ports = PORT;

    before(async () => {
      topology = makeTopology();
      certificate = makeCertificate(topology, [target]);
      files = foldered(topology, 'files');
      const small = `for i in $(seq ${STREAMS}); do head -c ${SMALL_BYTES} /dev/urandom > small$i; done`;
      execFileSync('sh', ['-ec', `head -c ${LARGE_BYTES} /dev/urandom > large; : > none; ${small}; md5sum * > ../sums`], { cwd: files });
      translator = await startTranslator('ravioli', topology);
    });
    beforeEach(async () => {
      server = await startQuicServer(topology, topology.far, [target, ports++], files, certificate);
    });
    afterEach(() => server?.stop());
    after(async () => {
      await translator?.stop();
      topology?.remove();
    });

    /** The logs of both ends, of which everything that holds at any speed has been asked. */
    async function expectOrder(clientLog: string): Promise<{ client: QuicLog; host: QuicLog; lost: number }> {
      await server.stop('SIGINT');
      const [client, host] = [readQuicLog(clientLog), readServerLog(server)];
      expect(client.received).to.have.length.above(3);
      expect([...overtaken(client.received), ...overtaken(host.received)]).to.deep.equal([]);
      // Each end marks its packets, and the other end sees the mark.
      for (const { marks } of [client, host]) {
        expect(marks.ect0).to.be.above(0);
        expect(marks).to.include({ ect1: 0, ce: 0 });
      }
      return { client, host, lost: missing(host.sent, client.received).length + missing(client.sent, host.received).length };
    }

    function expectFiles(names: string, into: string): void {
      execFileSync('sh', ['-ec', `grep ' ${names}' ../sums > expected; md5sum -c --quiet expected`], { cwd: into });
    }

    function download(name: string): string {
      const into = `${topology.folder}/${name}`;
      mkdirSync(into);
      execFileSync('chmod', ['777', into]);
      return into;
    }

    it('a connection that never has much under way loses nothing', async () => {
      const into = download('slow');
      const { lost } = await expectOrder(
        await requestByQuic(topology, translator.guest, server, { paths: ['large'], into, window: WINDOW }),
      );
      expect(lost).to.equal(0);
      expectFiles('large', into);
    });

    for (const [what, given] of Object.entries({
      [`gets ${LARGE_BYTES} bytes`]: { paths: ['large'] },
      [`sends ${LARGE_BYTES} bytes`]: { paths: ['none'], body: 'large' },
      [`gets ${STREAMS} files at a time`]: { paths: Array.from({ length: STREAMS }, (_, index) => `small${index + 1}`) },
    })) {
      it(`${what} at full speed, and only the ends' own sockets lose any of it`, async () => {
        const namespaces = [translator.guest, topology.host, topology.far];
        const into = download(what.split(' ').slice(0, 2).join(''));
        const body = 'body' in given ? { body: `${files}/${given.body}` } : {};
        const request = { paths: given.paths, into, ...body };
        const [dropped, { client, host, lost }] = await countDropped(namespaces, async () =>
          expectOrder(await requestByQuic(topology, translator.guest, server, request)),
        );
        console.log(`      ${client.received.length} packets in, ${host.received.length} out, ${lost} lost`);
        expect(lost).to.be.at.most(dropped);
        if (!('body' in given)) expectFiles(given.paths.length > 1 ? 'small' : 'large', into);
        else expect(host.received).to.have.length.above(LARGE_BYTES / 1500);
      });
    }
  });
}
