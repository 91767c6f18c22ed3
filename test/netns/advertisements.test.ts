/** IPv6 without --config-net: router advertisements as the guest's kernel and real programs take them. */
import { expect } from 'chai';
import { cpSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { check, type Running, run, start } from '../support/processes.ts';
import { foldered } from '../support/servers.ts';
import { GATEWAY6, makeTopology, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const NO_PORTS = ['-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none'];
const NAMES = ['--dhcp-dns', '--dhcp-search', '-D', '2001:db8::53', '-D', '192.0.2.53', '-S', 'a.example.org', '-S', 'example.org'];

describe('netns: router advertisements', function () {
  this.timeout(60_000);
  let topology: Topology;
  let translator: Translator | null = null;
  const running: Running[] = [];

  before(() => {
    topology = makeTopology();
  });
  after(() => topology?.remove());
  afterEach(async () => {
    for (const program of running.splice(0)) await program.stop();
    await translator?.stop();
    translator = null;
  });

  /** Runs a program in the guest, as its root, to its end. */
  function inGuest(...words: string[]): Promise<string> {
    return check(words, { namespace: (translator as Translator).guest, user: 0 });
  }

  /** Starts a program in the guest that tells what it sees. */
  function watch(...words: string[]): Running {
    const program = start(words, { namespace: (translator as Translator).guest, user: 0 });
    running.push(program);
    return program;
  }

  /** Starts the product around a namespace that nobody has set up; its link is still down. */
  async function started(options: readonly string[], etc?: string): Promise<void> {
    const words = ['-d', ...NO_PORTS, ...options];
    translator = await startTranslator('ravioli', topology, { configured: false, options: words, ...(etc === undefined ? {} : { etc }) });
  }

  /** Sets the guest's link up, and waits until it has its link-local address. */
  async function raised(): Promise<void> {
    const monitor = watch('sh', '-c', 'echo begun; exec ip -6 monitor address');
    await monitor.waitFor(/begun/);
    await inGuest('ip', 'link', 'set', 'eth0', 'up');
    const shown = await inGuest('ip', '-6', '-o', 'address', 'show', 'dev', 'eth0', '-tentative');
    if (!shown.includes('fe80')) await monitor.waitFor(/inet6 fe80::\S+ scope link (?!tentative)/);
  }

  /** What rdisc6 understands of the answer to its solicitation, without titles' blanks and times in hexadecimal. */
  async function solicited(): Promise<string[]> {
    await raised();
    const shown = await inGuest('rdisc6', '-1', '-r', '10', '-w', '1000', 'eth0');
    return shown
      .split('\n')
      .slice(2)
      .map((line) =>
        line
          .replaceAll(/ +:/g, ':')
          .replaceAll(/ +/g, ' ')
          .replace(/ \(0x.*?\)/, '')
          .trim(),
      )
      .filter((line) => line !== '' && !/^(from|Reachable|Retransmit|Router preference|Stateful other|Neighbor|Mobile)/.test(line));
  }

  it('the kernel takes address, default route, MTU and routes from them, and reaches hosts', async () => {
    await check(['ip', '-6', 'route', 'add', '2001:db8:7::/48', 'via', GATEWAY6], { namespace: topology.host, user: 0 });
    await started(['-m', '1400']);
    const monitor = watch('ip', '-6', 'monitor', 'address', 'route');
    await inGuest('sysctl', '-qw', 'net.ipv6.conf.eth0.accept_ra_rt_info_max_plen=64');
    await inGuest('ip', 'link', 'set', 'eth0', 'up');
    // Without detection of duplicates a new address is told of once; with it, again when it may be used.
    await monitor.waitFor(/2001:db8::\S+\/64 scope global dynamic mngtmpaddr [^]*?valid_lft forever/, 20_000);
    await monitor.waitFor(/default via fe80::\S+ dev eth0 proto ra/, 20_000);
    await monitor.waitFor(/2001:db8:7::\/48 via fe80::\S+ dev eth0 proto ra/, 20_000);
    expect((await inGuest('cat', '/proc/sys/net/ipv6/conf/eth0/mtu')).trim()).to.equal('1400');
    await inGuest('ping', '-6', '-n', '-c', '1', '-w', '10', TARGET6);
    await check(['ip', '-6', 'route', 'del', '2001:db8:7::/48'], { namespace: topology.host, user: 0 });
  });

  it('rdisc6 is told all that there is', async () => {
    await started([...NAMES, '-m', '1400']);
    const [host] = /([0-9a-f]{2}:){5}[0-9a-f]{2}/.exec('9A:55:9A:55:9A:55'.toLowerCase()) as RegExpExecArray;
    expect((await solicited()).map((line) => line.toLowerCase())).to.deep.equal([
      'hop limit: undefined ( 0x00)',
      'stateful address conf.: yes',
      'router lifetime: 65535 seconds',
      `source link-layer address: ${host}`,
      'prefix: 2001:db8::/64',
      'on-link: yes',
      'autonomous address conf.: yes',
      'valid time: infinite',
      'pref. time: infinite',
      'mtu: 1400 bytes (valid)',
      'recursive dns server: 2001:db8::53',
      'dns server lifetime: 1800 seconds',
      'dns search list: a.example.org example.org',
      'dns search list lifetime: 1800 seconds',
    ]);
  });

  it('--no-dhcpv6 is said in them; by default no names and with --mtu 0 no MTU', async () => {
    await started(['--no-dhcpv6', '-m', '0', '-D', '2001:db8::53']);
    const told = await solicited();
    expect(told).to.include('Stateful address conf.: No');
    expect(told.filter((line) => /MTU|DNS/.test(line))).to.deep.equal([]);
  });

  for (const options of [['--no-ra'], ['--no-ndp']])
    it(`${options.join()} gives none`, async () => {
      await started(options);
      await raised();
      const words = ['rdisc6', '-1', '-r', '1', '-w', '300', 'eth0'];
      const { code, stdout } = await run(words, { namespace: (translator as Translator).guest, user: 0 });
      expect([code, /prefix/i.test(stdout)]).to.deep.equal([2, false]);
    });

  it('the guest hears of new servers at once, and that the old ones are gone', async () => {
    const etc = foldered(topology, 'etc');
    for (const name of ['passwd', 'group', 'nsswitch.conf', 'ld.so.cache', 'alternatives'])
      cpSync(`/etc/${name}`, `${etc}/${name}`, { recursive: true });
    writeFileSync(`${etc}/resolv.conf`, 'nameserver 2001:db8::60\nsearch one.example\n');
    await started(['--dhcp-dns', '--dhcp-search'], etc);
    await inGuest('ip', 'link', 'set', 'eth0', 'up');
    const fields = ['ipv6.dst', 'icmpv6.opt.rdnss', 'icmpv6.opt.rdnss.lifetime', 'icmpv6.opt.dnssl', 'icmpv6.opt.dnssl.lifetime'];
    const shark = watch(
      'tshark',
      '-l',
      '-i',
      'eth0',
      '-Y',
      'icmpv6.type==134 && ipv6.dst==ff02::1',
      '-T',
      'fields',
      ...fields.flatMap((field) => ['-e', field]),
    );
    await shark.waitFor(/Capturing on/);
    writeFileSync(`${etc}/resolv.conf.new`, 'nameserver 2001:db8::61\nsearch two.example\n');
    renameSync(`${etc}/resolv.conf.new`, `${etc}/resolv.conf`);
    const [line] = await shark.waitFor(/^ff02::1\t.*two.*$/m, 20_000);
    expect(line.split('\t')).to.deep.equal(['ff02::1', '2001:db8::61,2001:db8::60', '1800,0', 'two.example,one.example', '1800,0']);
    rmSync(etc, { recursive: true });
  });

  it('our address on the link can’t be taken by the guest, any other one can', async () => {
    await started([]);
    await inGuest('ip', 'link', 'set', 'eth0', 'up');
    const monitor = watch('ip', '-6', 'monitor', 'address');
    const shown = await check(['ip', '-6', '-o', 'address', 'show', 'dev', 'eth0', 'scope', 'link'], { namespace: topology.host, user: 0 });
    const [ours] = /fe80::[0-9a-f:]+/.exec(shown) as RegExpExecArray;
    await inGuest('ip', 'address', 'add', `${ours}/64`, 'dev', 'eth0');
    await monitor.waitFor(new RegExp(`inet6 ${ours}/64 scope link (tentative )?dadfailed`));
    await inGuest('ip', 'address', 'add', '2001:db8::2/64', 'dev', 'eth0');
    await monitor.waitFor(/inet6 2001:db8::2\/64 scope global *$/m);
  });
});
