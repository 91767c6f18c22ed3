/**
 * DNS through the product: --dns-forward and --dns-host, with a real resolver on the host's loopback and on a far host, and resolv.conf
 * replaced while it runs.
 */
import { expect } from 'chai';
import { cpSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { check, type Running, run } from '../support/processes.ts';
import { foldered, startDnsmasq } from '../support/servers.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const FORWARD4 = '169.254.1.1';
const FORWARD6 = 'fd00::53';
const LOOPBACK4 = '127.0.0.53';
const LOOPBACK6 = '::1';
/** What the resolvers say to be told apart. */
const ON_LOOPBACK = '203.0.113.1';
const FAR_AWAY = '203.0.113.2';
const PODMAN = ['--dns-forward', FORWARD4, '-T', 'none', '-U', 'none', '-t', 'none', '-u', 'none', '--no-map-gw'];
const BOTH = [...PODMAN, '--dns-forward', FORWARD6];

describe('DNS through the product', function () {
  this.timeout(60_000);
  let topology: Topology;
  let translator: Translator | null = null;
  let etc: string;
  let local: Running;

  before(async () => {
    topology = makeTopology();
    const names = (answer: string) => ({ 'who.test': answer });
    local = await startDnsmasq(topology, topology.host, [LOOPBACK4, LOOPBACK6], names(ON_LOOPBACK), 'local');
    await startDnsmasq(topology, topology.far, [TARGET4, TARGET6], names(FAR_AWAY), 'far');
  });
  after(() => topology?.remove());

  beforeEach(() => {
    etc = foldered(topology, 'etc');
    for (const name of ['passwd', 'group', 'nsswitch.conf', 'ld.so.cache', 'alternatives'])
      cpSync(`/etc/${name}`, `${etc}/${name}`, { recursive: true });
  });
  afterEach(async () => {
    await translator?.stop();
    translator = null;
    rmSync(etc, { recursive: true });
  });

  const resolvConf = (...servers: string[]): string => servers.map((server) => `nameserver ${server}\n`).join('');

  async function started(options: readonly string[], ...servers: string[]): Promise<Translator> {
    writeFileSync(`${etc}/resolv.conf`, resolvConf(...servers));
    translator = await startTranslator('ravioli', topology, { options: ['-d', ...options], etc });
    return translator;
  }

  /** What `server` says in the guest; the words of dig when it says nothing. */
  async function ask(server: string, ...options: string[]): Promise<string> {
    const words = ['dig', '+short', '+tries=1', '+time=3', ...options, `@${server}`, 'who.test', 'A'];
    const { stdout } = await run(words, { namespace: (translator as Translator).guest });
    return stdout.trim();
  }

  for (const [where, servers, answer] of [
    ["the host's loopback", [LOOPBACK4, LOOPBACK6], ON_LOOPBACK],
    ['a far host', [TARGET4, TARGET6], FAR_AWAY],
  ] as const) {
    it(`reaches a resolver on ${where}, by UDP and TCP, in both families`, async () => {
      await started(BOTH, ...servers);
      for (const forward of [FORWARD4, FORWARD6])
        for (const transport of ['+notcp', '+tcp']) expect(await ask(forward, transport), `${forward} ${transport}`).to.equal(answer);
    });
  }

  it('gets an answer that does not fit a datagram', async () => {
    await started(PODMAN, LOOPBACK4);
    const words = ['dig', '+bufsize=512', '+time=3', '+tries=1', `@${FORWARD4}`, 'long.test', 'TXT'];
    const answer = await check(words, { namespace: (translator as Translator).guest });
    expect(answer)
      .to.match(/Truncated, retrying in TCP/)
      .and.match(/ANSWER: 12/);
  });

  it('reaches nothing else there: not another port, not the loopback under its own address', async () => {
    await started(PODMAN, LOOPBACK4);
    expect(await ask(FORWARD4)).to.equal(ON_LOOPBACK);
    const port = await run(['nc', '-z', '-w', '2', FORWARD4, '54'], { namespace: (translator as Translator).guest });
    expect(port.code).to.not.equal(0);
    expect(await ask(LOOPBACK4)).to.match(/connection refused|no servers could be reached/);
  });

  it('the resolver named by --dns-host is used, whatever resolv.conf says', async () => {
    await started([...PODMAN, '--dns-host', LOOPBACK4], TARGET4);
    expect(await ask(FORWARD4)).to.equal(ON_LOOPBACK);
  });

  it('a resolver on the loopback stands behind the gateway when that is mapped', async () => {
    const running = await started(['-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none'], LOOPBACK4);
    await running.waitFor(/DNS queries to 192\.0\.2\.1 go to 127\.0\.0\.53/);
    for (const transport of ['+notcp', '+tcp']) expect(await ask('192.0.2.1', transport)).to.equal(ON_LOOPBACK);
  });

  it('a host without resolver refuses at once, and makes none up', async () => {
    const running = await started(PODMAN);
    await running.waitFor(/DNS queries to 169\.254\.1\.1 are refused: \/etc\/resolv\.conf names no IPv4 server/);
    for (const transport of ['+notcp', '+tcp']) expect(await ask(FORWARD4, transport)).to.match(/refused/);
  });

  it('a resolver that is not running is refused by the host, and the guest is told', async () => {
    await started(PODMAN, '127.0.0.99');
    for (const transport of ['+notcp', '+tcp']) expect(await ask(FORWARD4, transport)).to.match(/refused/);
  });

  const changes: readonly (readonly [string, (text: string) => void])[] = [
    [
      'replaced by another file',
      (text) => {
        writeFileSync(`${etc}/resolv.conf.new`, text);
        renameSync(`${etc}/resolv.conf.new`, `${etc}/resolv.conf`);
      },
    ],
    ['written in place', (text) => writeFileSync(`${etc}/resolv.conf`, text)],
    [
      'deleted and made anew',
      (text) => {
        rmSync(`${etc}/resolv.conf`);
        writeFileSync(`${etc}/resolv.conf`, text);
      },
    ],
    [
      'made a link to a folder that is new',
      (text) => {
        mkdirSync(`${etc}/resolve`);
        writeFileSync(`${etc}/resolve/stub`, text);
        symlinkSync('resolve/stub', `${etc}/link`);
        renameSync(`${etc}/link`, `${etc}/resolv.conf`);
      },
    ],
  ];
  for (const [how, change] of changes) {
    it(`uses the host's new resolver when resolv.conf is ${how}, there and back`, async () => {
      const running = await started(BOTH, LOOPBACK4, LOOPBACK6);
      expect(await ask(FORWARD4)).to.equal(ON_LOOPBACK);
      change(resolvConf(TARGET4, TARGET6));
      await running.waitFor(new RegExp(`DNS queries to ${FORWARD6} go to ${TARGET6}`));
      for (const forward of [FORWARD4, FORWARD6])
        for (const transport of ['+notcp', '+tcp']) expect(await ask(forward, transport), forward).to.equal(FAR_AWAY);
      rmSync(`${etc}/resolv.conf`);
      writeFileSync(`${etc}/resolv.conf`, resolvConf(LOOPBACK4));
      await running.waitFor(new RegExp(`DNS queries to ${FORWARD6} are refused`));
      expect(await ask(FORWARD4)).to.equal(ON_LOOPBACK);
      expect(await ask(FORWARD6)).to.match(/refused/);
    });
  }

  it('a query on its way when resolv.conf changes is answered by whom it was sent to', async () => {
    const running = await started(PODMAN, LOOPBACK4);
    const guest = (translator as Translator).guest;
    process.kill(local.pid, 'SIGSTOP');
    const asked = run(['dig', '+short', '+tries=1', '+time=10', `@${FORWARD4}`, 'who.test', 'A'], { namespace: guest });
    await running.waitFor(/began: UDP .* far port 53/);
    writeFileSync(`${etc}/resolv.conf`, resolvConf(TARGET4));
    await running.waitFor(new RegExp(`DNS queries to ${FORWARD4} go to ${TARGET4}`));
    expect(await ask(FORWARD4)).to.equal(FAR_AWAY);
    process.kill(local.pid, 'SIGCONT');
    expect((await asked).stdout.trim()).to.equal(ON_LOOPBACK);
  });
});
