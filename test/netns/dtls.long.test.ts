/**
 * DTLS: two programs of different makers shake hands, and every message comes through as it was sent.
 */
import { type Running, start } from '../support/processes.ts';
import { bracketed, type Certificate, makeCertificate } from '../support/servers.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const PORT = 4460;
const MESSAGES = 200;
/** What GnuTLS sends in one record by itself. */
const LONGEST = 1100;

describe('DTLS', function () {
  this.timeout(60_000);
  let topology: Topology;
  let translator: Translator;
  let certificate: Certificate;

  before(async () => {
    topology = makeTopology();
    certificate = makeCertificate(topology, [TARGET4, TARGET6]);
    translator = await startTranslator('ravioli', topology);
  });
  after(async () => {
    await translator?.stop();
    topology?.remove();
  });

  /** Lines of all lengths, each when the one before has come through; `talks` says whose line it is, and where it has to come. */
  async function expectLines(talks: (message: number) => readonly [from: Running, to: Running]): Promise<void> {
    for (let message = 1; message <= MESSAGES; message++) {
      const [from, to] = talks(message);
      const line = `${message}:${'x'.repeat(Math.ceil((message * LONGEST) / MESSAGES))}`;
      from.child.stdin?.write(`${line}\n`);
      await to.waitFor(new RegExp(`^${line}$`, 'm'));
    }
  }

  for (const server of [TARGET4, TARGET6]) {
    it(`OpenSSL in the guest and GnuTLS at ${server}`, async () => {
      const own = ['--x509keyfile', certificate.key, '--x509certfile', certificate.file];
      const echo = start(['gnutls-serv', '--udp', '--echo', '--quiet', '--port', String(PORT), ...own], { namespace: topology.far });
      await echo.waitFor(/IPv6.*done/);
      const trust = ['-CAfile', certificate.file, '-verify_return_error'];
      const client = start(['openssl', 's_client', '-dtls1_2', '-quiet', '-connect', `${bracketed(server)}:${PORT}`, ...trust], {
        namespace: translator.guest,
      });
      await expectLines(() => [client, client]);
      await client.stop();
      await echo.stop();
    });

    it(`GnuTLS in the guest and OpenSSL at ${server}`, async () => {
      const own = ['-key', certificate.key, '-cert', certificate.file];
      const words = ['openssl', 's_server', '-dtls1_2', '-accept', `${bracketed(server)}:${PORT + 1}`, ...own];
      const talker = start(words, { namespace: topology.far });
      await talker.waitFor(/ACCEPT/);
      const client = start(['gnutls-cli', '--udp', '--x509cafile', certificate.file, '-p', String(PORT + 1), server], {
        namespace: translator.guest,
      });
      await client.waitFor(/Simple Client Mode/);
      await expectLines((message) => (message % 2 === 1 ? [client, talker] : [talker, client]));
      await client.stop();
      await talker.stop();
    });
  }
});
