/** DHCP without --config-net: real clients in the guest's namespace, and what each has understood. */
import { expect } from 'chai';
import { cpSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type Client, type ClientOptions, CLIENTS, type Lease, runClient } from '../support/dhcp_programs.ts';
import { check, run } from '../support/processes.ts';
import { foldered } from '../support/servers.ts';
import { GATEWAY4, HOST4, makeTopology, TARGET4, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const NAMES = ['-D', '192.0.2.53', '-D', '192.0.2.54', '-S', 'a.example.org', '-S', 'example.org'];
const TOLD = ['-H', 'guesty', '--fqdn', 'guesty.example.org', '--dhcp-dns', '--dhcp-search', ...NAMES];
const EVENT: Readonly<Record<Client, string>> = { udhcpc: 'bound', dhclient: 'BOUND', dhcpcd: 'BOUND' };

describe('netns: DHCP', function () {
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

  /** Starts the product around a namespace that nobody has set up, but that its link is up. */
  async function started(options: readonly string[], etc?: string): Promise<Translator> {
    const words = ['-d', '-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none', ...options];
    translator = await startTranslator('ravioli', topology, { configured: false, options: words, ...(etc === undefined ? {} : { etc }) });
    await check(['ip', 'link', 'set', 'eth0', 'up'], { namespace: translator.guest, user: 0 });
    return translator;
  }

  async function leases(client: Client, given: ClientOptions = {}): Promise<Lease[]> {
    const { leases: reported, finished } = await runClient(client, (translator as Translator).guest, topology.folder, 'eth0', given);
    if (reported.length === 0) throw new Error(`${client} said ${finished.stdout}${finished.stderr}`);
    return reported;
  }

  /** What the client was told when it got its lease. */
  async function lease(client: Client, given: ClientOptions = {}): Promise<Lease> {
    const reported = await leases(client, given);
    const bound = reported.find(({ event }) => event === EVENT[client]);
    if (bound === undefined) throw new Error(`${client} had only ${reported.map(({ event }) => event).join(', ')}`);
    return bound;
  }

  const events = (): string[] => [...(translator as Translator).log().matchAll(/DHCP: (.*?) \d/g)].map(([, event]) => event as string);

  for (const client of CLIENTS) {
    it(`${client} gets all that there is to tell`, async () => {
      await started(TOLD);
      const told = await lease(client);
      expect(told).to.deep.equal({
        event: EVENT[client],
        address: HOST4,
        prefix: client === 'dhclient' ? '255.255.255.0' : '24',
        router: GATEWAY4,
        routes: undefined,
        servers: '192.0.2.53 192.0.2.54',
        search: client === 'dhclient' ? 'a.example.org. example.org.' : 'a.example.org example.org',
        mtu: '65520',
        hostname: 'guesty',
        fqdn: client === 'udhcpc' ? '0cffff06677565737479076578616d706c65036f726700' : 'guesty.example.org',
        lifetime: '3600',
        server: GATEWAY4,
      });
      expect(events()).to.deep.equal(['offered', 'acknowledged']);
    });

    it(`${client} is told nothing of names by default, and no MTU with --mtu 0`, async () => {
      await started(['-m', '0', ...NAMES]);
      const { address, servers, search, mtu, hostname, fqdn } = await lease(client);
      expect([address, servers, search, mtu, hostname, fqdn]).to.deep.equal([HOST4, ...Array(5).fill(undefined)]);
    });

    it(`${client} is told of a gateway outside of its prefix`, async () => {
      await started(['-a', '10.9.8.7/32', '-g', GATEWAY4]);
      const { address, routes, router } = await lease(client);
      expect([address, router]).to.deep.equal(['10.9.8.7', undefined]);
      expect(routes).to.equal(
        {
          udhcpc: '192.0.2.1/32 0.0.0.0 0.0.0.0/0 192.0.2.1',
          dhclient: '32 192 0 2 1 0 0 0 0 0 192 0 2 1',
          dhcpcd: '192.0.2.1/32 0.0.0.0 0.0.0.0/0 192.0.2.1',
        }[client],
      );
    });
  }

  for (const [where, options] of [
    ['within', []],
    ['outside of', ['-a', '10.9.8.7/32', '-g', GATEWAY4]],
  ] as const) {
    it(`what dhcpcd sets up by it reaches a far host, by a gateway ${where} the prefix`, async () => {
      const { guest } = await started(options);
      await lease('dhcpcd');
      expect(await check(['ping', '-n', '-c', '1', '-W', '5', TARGET4], { namespace: guest })).to.match(/ 1 received/);
    });
  }

  it('dhcpcd commits rapidly', async () => {
    await started([]);
    expect((await lease('dhcpcd', { configuration: 'option rapid_commit\n' })).address).to.equal(HOST4);
    expect(events()).to.deep.equal(['acknowledged']);
  });

  it('dhclient, which remembers another address, is told that it is none here, and gets the right one', async () => {
    await started([]);
    const remembered = `lease { interface "eth0"; fixed-address 10.1.1.1; option subnet-mask 255.255.255.0;
      option dhcp-lease-time 4294967295; option dhcp-server-identifier 10.1.1.254; renew never; rebind never; expire never; }\n`;
    expect((await lease('dhclient', { leases: remembered })).address).to.equal(HOST4);
    expect(events()).to.deep.equal(['refused another address than', 'offered', 'acknowledged']);
  });

  it('udhcpc renews, and releases what it has', async () => {
    await started([]);
    // One thing after the other: of two signals that wait, either may be first.
    const atEvent = `case $1 in
      bound) ip address add $ip/$mask dev $interface; kill -USR1 $PPID ;;
      renew) touch $0.renewed; kill -USR2 $PPID ;;
      deconfig) [ ! -e $0.renewed ] || kill $PPID ;;
    esac`;
    const reported = await leases('udhcpc', { atEvent, stays: true });
    expect(reported.map(({ event, address }) => [event, address])).to.deep.equal([
      ['deconfig', undefined],
      ['bound', HOST4],
      ['renew', HOST4],
      ['deconfig', undefined],
    ]);
    // The lease, then the renewal: udhcpc asks for that by a connected socket of its own, and misses the answer, and asks again after 3 s,
    // when that comes before it has closed the socket.
    expect(events().slice(0, 3)).to.deep.equal(['offered', 'acknowledged', 'acknowledged']);
    expect(events().at(-1)).to.equal('released');
  });

  it('a client is told of the servers that resolv.conf names at the time', async () => {
    const etc = foldered(topology, 'etc');
    for (const name of ['passwd', 'group', 'nsswitch.conf', 'ld.so.cache', 'alternatives'])
      cpSync(`/etc/${name}`, `${etc}/${name}`, { recursive: true });
    writeFileSync(`${etc}/resolv.conf`, 'nameserver 192.0.2.60\nsearch one.example\n');
    await started(['--dhcp-dns', '--dhcp-search'], etc);
    const before = await lease('udhcpc');
    writeFileSync(`${etc}/resolv.conf.new`, 'nameserver 192.0.2.61\nsearch two.example\n');
    renameSync(`${etc}/resolv.conf.new`, `${etc}/resolv.conf`);
    await (translator as Translator).waitFor(/the guest is told from now on: DNS 192\.0\.2\.61, search list two\.example/);
    const after = await lease('udhcpc');
    expect([before, after].map(({ servers, search }) => [servers, search])).to.deep.equal([
      ['192.0.2.60', 'one.example'],
      ['192.0.2.61', 'two.example'],
    ]);
    rmSync(etc, { recursive: true });
  });

  it('a guest finds by a probe that other addresses are free for it, and those of the gateway and the resolver are not', async () => {
    const { guest } = await started(['--dns-forward', '169.254.1.1', '--map-guest-addr', '169.254.1.2']);
    const isFree = async (address: string): Promise<boolean> => {
      const words = ['busybox', 'arping', '-D', '-f', '-c', '1', '-w', '1', '-I', 'eth0', address];
      const { code, stdout } = await run(words, { namespace: guest, user: 0 });
      expect(stdout).to.match(/^Sent 1 probe/m);
      return code === 0;
    };
    expect(await Promise.all(['192.0.2.77', '10.1.1.1', HOST4].map(isFree))).to.deep.equal([true, true, true]);
    expect(await Promise.all([GATEWAY4, '169.254.1.1', '169.254.1.2'].map(isFree))).to.deep.equal([false, false, false]);
  });

  it('--no-dhcp gives nothing', async () => {
    await started(['--no-dhcp']);
    const { leases: reported } = await runClient('udhcpc', (translator as Translator).guest, topology.folder, 'eth0', {
      words: ['-t', '1', '-T', '1'],
    });
    expect(reported.map(({ event }) => event)).to.deep.equal(['deconfig', 'leasefail']);
  });
});
