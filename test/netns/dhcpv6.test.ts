/** DHCPv6 without --config-net: real clients in the guest's namespace, and what each has understood. */
import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { CLIENTS6, type Client6, type Client6Options, type Lease6, runClient6 } from '../support/dhcpv6_programs.ts';
import { check, start } from '../support/processes.ts';
import { HOST6, makeTopology, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';
import { judge } from '../support/wire_capture.ts';

const NAMES = ['-D', '2001:db8::53', '-D', '192.0.2.53', '-S', 'a.example.org', '-S', 'example.org'];
const TOLD = ['--fqdn', 'guesty.example.org', '--dhcp-dns', '--dhcp-search', ...NAMES];
const FOREVER = '4294967295';

describe('netns: DHCPv6', function () {
  this.timeout(60_000);
  let topology: Topology;
  let translator: Translator | null = null;

  before(() => {
    topology = makeTopology();
  });
  after(() => topology?.remove());
  afterEach(async () => {
    await translator?.stop();
    translator = null;
  });

  /** Starts the product around a namespace that nobody has set up, but that its link is up, with a link-local address. */
  async function started(options: readonly string[]): Promise<void> {
    const words = ['-d', '-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none', ...options];
    translator = await startTranslator('ravioli', topology, { configured: false, options: words });
    const { guest } = translator;
    // The client may have the address without waiting for a second whether somebody else does.
    await check(['sysctl', '-qw', 'net.ipv6.conf.eth0.accept_dad=0'], { namespace: guest, user: 0 });
    await check(['ip', 'link', 'set', 'eth0', 'up'], { namespace: guest, user: 0 });
  }

  async function leases(client: Client6, given: Client6Options = {}): Promise<Lease6[]> {
    const { leases: reported, finished } = await runClient6(client, (translator as Translator).guest, topology.folder, 'eth0', given);
    if (reported.length === 0) throw new Error(`${client} said ${finished.stdout}${finished.stderr}`);
    return reported;
  }

  /** What the client was told when it got its lease. */
  async function lease(client: Client6, given: Client6Options = {}): Promise<Lease6> {
    const reported = await leases(client, given);
    const bound = reported.find(({ event }) => event === 'BOUND6');
    if (bound === undefined) throw new Error(`${client} had only ${reported.map(({ event }) => event).join(', ')}`);
    return bound;
  }

  const eventsNow = (): string[] =>
    [...(translator as Translator).log().matchAll(/DHCPv6: (.*?) 2001/g)].map(([, event]) => event as string);

  /** The first `count` events, once there are so many: the log comes after the answer. */
  async function events(count: number): Promise<string[]> {
    await (translator as Translator).waitFor(new RegExp(`(DHCPv6: .*? 2001[^]*){${count}}`), 10_000);
    return eventsNow();
  }

  for (const client of CLIENTS6) {
    it(`${client} gets all that there is to tell`, async () => {
      await started(TOLD);
      const isPcpd = client === 'dhcpcd';
      expect(await lease(client)).to.deep.equal({
        event: 'BOUND6',
        address: HOST6,
        servers: '2001:db8::53',
        search: isPcpd ? 'a.example.org example.org' : 'a.example.org. example.org.',
        fqdn: 'guesty.example.org',
        lifetime: FOREVER,
        server: isPcpd ? '000300019a559a559a55' : '0:3:0:1:9a:55:9a:55:9a:55',
      });
      expect(await events(2)).to.deep.equal(['offered', 'assigned']);
    });

    it(`${client} is told nothing of names by default`, async () => {
      await started(NAMES);
      const { address, servers, search, fqdn } = await lease(client);
      expect([address, servers, search, fqdn]).to.deep.equal([HOST6, undefined, undefined, undefined]);
    });
  }

  it('dhclient commits rapidly', async () => {
    await started([]);
    expect((await lease('dhclient', { configuration: 'send dhcp6.rapid-commit;\n' })).address).to.equal(HOST6);
    expect(await events(1)).to.deep.equal(['assigned']);
  });

  it('dhclient has the address confirmed that it remembers, releases it, and gets it again', async () => {
    await started([]);
    await lease('dhclient');
    const remembered = readFileSync(`${topology.folder}/dhclient6/leases`, 'utf8');
    const atEvent = 'case $reason in BOUND6 | REBOOT | CONFIRM6 | REBIND6 | EXPIRE6) kill $PPID ;; esac';
    expect((await leases('dhclient', { leases: remembered, atEvent })).at(-1)?.address).to.equal(HOST6);
    await leases('dhclient', { leases: remembered, words: ['-r'] });
    expect((await lease('dhclient')).address).to.equal(HOST6);
    // Of more than five in ten seconds nothing is told.
    await (translator as Translator).waitFor(/confirmed[^]*released[^]*offered/);
    expect(await events(5)).to.deep.equal(['offered', 'assigned', 'confirmed', 'released', 'offered']);
  });

  it('dhclient, which remembers another address, is told that it is none here, and gets the right one', async () => {
    await started([]);
    await lease('dhclient');
    const other = readFileSync(`${topology.folder}/dhclient6/leases`, 'utf8').replaceAll(HOST6, '2001:db8::77');
    expect((await lease('dhclient', { leases: other })).address).to.equal(HOST6);
    expect(await events(5)).to.deep.equal(['offered', 'assigned', 'refused another address or way than', 'offered', 'assigned']);
  });

  it('dhclient asks for parameters alone', async () => {
    await started(TOLD);
    const [reported] = (await leases('dhclient', { words: ['-S'] })).filter(({ servers }) => servers !== undefined);
    expect([reported?.address, reported?.servers]).to.deep.equal([undefined, '2001:db8::53']);
    expect(await events(1)).to.deep.equal(['parameters for a client that may have']);
  });

  it('tshark complains of no frame', async () => {
    await started([...TOLD, '-m', '1500']);
    const { guest } = translator as Translator;
    const file = `${topology.folder}/ipv6.pcapng`;
    // Its own frames the guest would show with checksums that nobody has made yet; ours are whole.
    const words = ['sh', '-c', 'exec dumpcap -i eth0 -f "ether src 9a:55:9a:55:9a:55" -w - > "$0"', file];
    const capture = start(words, { namespace: guest, user: 0 });
    await capture.waitFor(/File:/);
    await check(['rdisc6', '-1', '-r', '10', '-w', '1000', 'eth0'], { namespace: guest, user: 0 });
    await lease('dhclient');
    await capture.waitFor(/Packets: [3-9]/);
    await capture.stop('SIGINT');
    const { complaints, frames } = await judge(file, []);
    expect(complaints).to.deep.equal([]);
    expect(frames.get('dhcpv6')).to.equal(2);
    expect(frames.get('icmpv6')).to.be.at.least(1);
  });

  it('--no-dhcpv6 gives nothing, and says so', async () => {
    await started(['--no-dhcpv6']);
    const client = start(
      ['dhclient', '-6', '-d', '-1', '-sf', '/bin/true', '-lf', '/dev/null', '-pf', '/dev/null', '-cf', '/dev/null', 'eth0'],
      {
        namespace: (translator as Translator).guest,
        user: 0,
      },
    );
    await client.waitFor(/XMT: Solicit[^]*XMT: Solicit/);
    expect(client.stdout() + client.stderr()).to.not.match(/RCV/);
    await client.stop();
    expect(await events(0)).to.deep.equal([]);
  });
});
