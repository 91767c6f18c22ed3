/**
 * Programs that people use, unchanged, on both ends of the product: ssh, scp, dig, ping, iperf3, git.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { sendDatagrams } from '../support/iperf.ts';
import { check, run } from '../support/processes.ts';
import { type Ssh, startDnsmasq, startGitDaemon, startIperf, startSshd } from '../support/servers.ts';
import { countDropped } from '../support/snmp.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { runProduct, startTranslator, type Translator } from '../support/translator.ts';

const SSH_PORT = 2222;

describe('programs through the product', function () {
  this.timeout(60_000);
  let topology: Topology;
  let translator: Translator;
  let ssh: Ssh;
  let ssh6: Ssh;

  before(async () => {
    topology = makeTopology();
    [ssh, ssh6] = [
      await startSshd(topology, topology.far, TARGET4, SSH_PORT),
      await startSshd(topology, topology.far, TARGET6, SSH_PORT + 1),
    ];
    await startDnsmasq(topology, topology.far, [TARGET4, TARGET6], { 'four.test': '203.0.113.4', 'six.test': '2001:db8:4::6' });
    await startGitDaemon(topology, topology.far, TARGET4);
    for (const address of [TARGET4, TARGET6]) await startIperf(topology.far, address);
    translator = await startTranslator('ravioli', topology);
  });

  after(async () => {
    await translator?.stop();
    topology?.remove();
  });

  const inGuest = (argv: readonly string[], timeout = 30_000): Promise<string> =>
    check(argv, { namespace: translator.guest, timeout, cwd: topology.folder });

  describe('ssh and scp', () => {
    it('runs a command over IPv4 and over IPv6 and returns its status', async () => {
      expect(await inGuest(['ssh', ...ssh.options, '-p', String(SSH_PORT), `root@${TARGET4}`, 'echo $((6*7))'])).to.equal('42\n');
      expect(await inGuest(['ssh', ...ssh6.options, '-p', String(SSH_PORT + 1), `root@${TARGET6}`, 'echo six'])).to.equal('six\n');
      const failing = ['ssh', ...ssh.options, '-p', String(SSH_PORT), `root@${TARGET4}`, 'exit 23'];
      expect((await run(failing, { namespace: translator.guest })).code).to.equal(23);
    });

    it('copies a file there and back unchanged', async () => {
      const folder = topology.folder;
      execFileSync('sh', ['-c', `head -c 50000000 /dev/urandom > ${folder}/out; chmod 644 ${folder}/out`]);
      await inGuest(['scp', '-q', ...ssh.options, '-P', String(SSH_PORT), `${folder}/out`, `root@${TARGET4}:${folder}/there`]);
      await inGuest(['scp', '-q', ...ssh.options, '-P', String(SSH_PORT), `root@${TARGET4}:${folder}/there`, `${folder}/back`]);
      expect(readFileSync(`${folder}/back`).equals(readFileSync(`${folder}/out`))).to.equal(true);
    });
  });

  describe('dig', () => {
    for (const server of [TARGET4, TARGET6]) {
      it(`asks ${server} over UDP and over TCP`, async () => {
        for (const transport of ['+notcp', '+tcp']) {
          expect(await inGuest(['dig', '+short', '+tries=1', '+time=3', transport, `@${server}`, 'four.test', 'A'])).to.equal(
            '203.0.113.4\n',
          );
          expect(await inGuest(['dig', '+short', '+tries=1', '+time=3', transport, `@${server}`, 'six.test', 'AAAA'])).to.equal(
            '2001:db8:4::6\n',
          );
        }
      });
    }

    it('turns to TCP when an answer does not fit a datagram', async () => {
      const answer = await inGuest(['dig', '+bufsize=512', '+time=3', '+tries=1', `@${TARGET4}`, 'long.test', 'TXT']);
      expect(answer)
        .to.match(/Truncated, retrying in TCP/)
        .and.match(/ANSWER: 12/);
    });
  });

  describe('ping', () => {
    for (const [option, target] of [
      ['-4', TARGET4],
      ['-6', TARGET6],
    ] as const) {
      for (const size of [0, 56, 1400, 8000]) {
        it(`ping ${option} with ${size} bytes`, async () => {
          const answer = await inGuest(['ping', option, '-n', '-c', '3', '-i', '0.2', '-W', '2', '-s', String(size), target]);
          expect(answer).to.match(/3 packets transmitted, 3 received, 0% packet loss/);
        });
      }
    }
  });

  describe('iperf3', () => {
    interface Summary {
      end: { sum_received: { bytes: number } };
    }

    async function iperf(target: string, ...options: string[]): Promise<Summary> {
      return JSON.parse(await inGuest(['iperf3', '-J', '-t', '1', '-c', target, ...options]));
    }

    for (const target of [TARGET4, TARGET6]) {
      it(`moves TCP both ways with ${target}`, async () => {
        expect((await iperf(target)).end.sum_received.bytes).to.be.above(1e6);
        expect((await iperf(target, '-R')).end.sum_received.bytes).to.be.above(1e6);
      });

      it(`moves UDP both ways with ${target}, losing next to nothing at 50 Mbit/s`, async () => {
        for (const direction of ['out', 'in'] as const) {
          const ends = [translator.guest, topology.far];
          const load = { server: target, direction, size: 1200, rate: 50e6, seconds: 1 };
          const [dropped, { sent, lost }] = await countDropped(ends, () => sendDatagrams(translator.guest, load));
          expect(sent).to.be.above(4000);
          expect(lost - dropped, 'lost before they reached their receiver').to.be.below(sent / 100);
        }
      });
    }
  });

  it('git clones from a git daemon', async () => {
    await inGuest(['git', 'clone', '-q', `git://${TARGET4}/work.git`, `${topology.folder}/clone`]);
    expect(readFileSync(`${topology.folder}/clone/file`, 'utf8')).to.equal('5\n');
    expect(readFileSync(`${topology.folder}/clone/big`).equals(readFileSync(`${topology.folder}/git/work/big`))).to.equal(true);
  });

  it('runs a command of its own and returns its status and output', async () => {
    const result = await runProduct(topology, [], ['sh', '-c', `ping -n -c 1 -W 2 ${TARGET4} > /dev/null && echo reached; exit 7`]);
    expect(result).to.include({ code: 7, stdout: 'reached\n' });
  });
});
