/**
 * The host's network changes while a guest uses it that has set itself up, by router advertisements alone here: what its kernel then has. A
 * namespace, and the same behind a machine's socket.
 */
import { expect } from 'chai';
import { formatAddress, parseAddress } from '../../shared/addresses.ts';
import { type Endpoint, type Listener, type Socket, startEndpoint } from '../support/endpoint.ts';
import { check, type Running, start } from '../support/processes.ts';
import {
  OTHER4,
  OTHER6,
  OTHER_GATEWAY4,
  OTHER_GATEWAY6,
  plugOther,
  routesOfFirst,
  sh,
  useFirst,
  useOther,
} from '../support/second_uplink.ts';
import { GATEWAY4, GATEWAY6, HOST4, HOST6, makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const PORT = 7310;
/** Whole turns of the sequence that endpoints send. */
const BYTES = 10 * 1_048_573;
const NO_PORTS = { ravioli: ['-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none'], machine: ['-t', 'none', '-u', 'none'] };

interface AddressShown {
  local: string;
  prefixlen: number;
  scope: string;
  deprecated?: boolean;
  valid_life_time: number;
}

function prefixOf(address: string): string {
  return formatAddress((parseAddress(address) as Uint8Array).fill(0, 8));
}

for (const tool of ['ravioli', 'machine'] as const)
  describe(`the host changes while a guest runs that sets itself up (${tool})`, function () {
    this.timeout(60_000);
    let topology: Topology;
    let translator: Translator;
    let guest: Endpoint;
    let far: Endpoint;
    let listener: Listener;
    let listener4: Listener;
    let monitor: Running;

    before(async () => {
      topology = makeTopology();
      plugOther(topology);
      far = await startEndpoint({ namespace: topology.far });
      listener = await far.listen(TARGET6, PORT);
      listener4 = await far.listen(TARGET4, PORT);
      translator = await startTranslator(tool, topology, { configured: false, options: ['-d', ...NO_PORTS[tool]] });
      await inGuest('sysctl', '-qw', 'net.ipv6.conf.eth0.accept_dad=0', 'net.ipv6.conf.eth0.accept_ra_rt_info_max_plen=64');
      monitor = start(['sh', '-c', 'echo begun; exec ip -6 monitor address route'], {
        namespace: translator.guest,
        user: 0,
        timeout: 3_600_000,
      });
      await monitor.waitFor(/begun/);
      await inGuest('ip', 'link', 'set', 'eth0', 'up');
      await eventually(routers, ['eth0']);
      guest = await startEndpoint({ namespace: translator.guest });
    });

    after(async () => {
      await monitor?.stop();
      for (const endpoint of [guest, far]) await endpoint?.stop();
      await translator?.stop();
      topology?.remove();
    });

    function inGuest(...words: string[]): Promise<string> {
      return check(words, { namespace: translator.guest, user: 0 });
    }

    /** Waits until what this finds out is as expected; each event of the monitor is a reason to look again, which may have begun late. */
    async function eventually(find: () => Promise<unknown>, expected: unknown): Promise<void> {
      const until = Date.now() + 40_000;
      for (;;) {
        const seen = monitor.stdout().length;
        const found = await find();
        if (JSON.stringify(found) === JSON.stringify(expected)) return;
        if (Date.now() > until) expect(found).to.deep.equal(expected);
        await monitor.waitFor(new RegExp(`^[^]{${seen + 1}}`), 500).catch(() => undefined);
      }
    }

    /** Prefixes of the guest's addresses, with what there is to say of those that are not as good as any. */
    async function prefixes(): Promise<string[]> {
      const [link] = JSON.parse(await inGuest('ip', '-6', '-j', 'address', 'show', 'dev', 'eth0')) as [{ addr_info: AddressShown[] }];
      return link.addr_info
        .filter(({ scope }) => scope === 'global')
        .map(({ local, deprecated, valid_life_time }) => {
          const state =
            deprecated === true ? ` deprecated, for ${valid_life_time > 7000 && valid_life_time <= 7200 ? '2 h' : valid_life_time}` : '';
          return prefixOf(local) + state;
        })
        .sort();
    }

    /** Who the guest's default routers are: interfaces of the host. */
    async function routers(): Promise<string[]> {
      const found = JSON.parse(await inGuest('ip', '-6', '-j', 'route', 'show', 'default')) as {
        gateway?: string;
        nexthops?: { gateway: string }[];
      }[];
      const gateways = found.flatMap(({ gateway, nexthops }) =>
        gateway === undefined ? (nexthops ?? []).map((hop) => hop.gateway) : [gateway],
      );
      const shown = sh('ip -6 -j address show scope link', topology.host);
      const links = JSON.parse(shown) as { ifname: string; addr_info: { local: string }[] }[];
      return gateways.map((gateway) => links.find(({ addr_info }) => addr_info.some(({ local }) => local === gateway))?.ifname ?? gateway);
    }

    async function connected(target = TARGET6): Promise<{ client: Socket; server: Socket & { from: string } }> {
      const client = await guest.connect(target, PORT);
      return { client, server: await (target === TARGET6 ? listener : listener4).accept() };
    }

    async function finish({ client, server }: Awaited<ReturnType<typeof connected>>): Promise<void> {
      server.resume();
      await Promise.all([client.send(BYTES), server.received(BYTES), server.send(BYTES), client.received(BYTES)]);
      client.reset();
    }

    it('has a new prefix and router, and the old prefix for what uses it', async () => {
      await eventually(prefixes, ['2001:db8::']);
      expect(await routers()).to.deep.equal(['eth0']);
      const before = await connected();
      expect(before.server.from).to.equal(HOST6);
      sh(useOther, topology.host);
      await eventually(prefixes, ['2001:db8:5::', '2001:db8:: deprecated, for 2 h']);
      await eventually(routers, ['eth1']);
      await finish(before);
      const after = await connected();
      expect(after.server.from).to.equal(OTHER6);
      expect(await inGuest('ip', '-6', 'route', 'get', TARGET6)).to.match(/src 2001:db8:5:/);
      after.client.reset();
    });

    it('has the first one again when the host goes back', async () => {
      sh(useFirst, topology.host);
      await eventually(prefixes, ['2001:db8:5:: deprecated, for 2 h', '2001:db8::']);
      await eventually(routers, ['eth0']);
    });

    it('has a route as long as the host has it', async () => {
      const routes = async (): Promise<string[]> =>
        (await inGuest('ip', '-6', 'route', 'show', '2001:db8:7::/48')).match(/^\S+ via/gm) ?? [];
      sh(`ip -6 route add 2001:db8:7::/48 via ${GATEWAY6}`, topology.host);
      await eventually(routes, ['2001:db8:7::/48 via']);
      sh('ip -6 route del 2001:db8:7::/48', topology.host);
      await eventually(routes, []);
    });

    it('has no default route while the host has none, and goes on when there is one', async () => {
      const transfer = await connected();
      sh('ip -6 route del default', topology.host);
      await eventually(routers, []);
      sh(`ip -6 route add default via ${GATEWAY6}`, topology.host);
      await eventually(routers, ['eth0']);
      await finish(transfer);
      sh('ip link set eth0 down; ip link set eth1 down', topology.host);
      await eventually(routers, []);
      sh(`ip link set eth0 up; ip address replace ${HOST6}/64 dev eth0 nodad; ${routesOfFirst}`, topology.host);
      await eventually(routers, ['eth0']);
      await finish(await connected());
    });

    it('goes on with transfers of both families when the host’s addresses and routes move to another interface', async () => {
      await inGuest('ip', 'address', 'add', `${HOST4}/24`, 'dev', 'eth0');
      await inGuest('ip', 'route', 'add', 'default', 'via', GATEWAY4);
      sh('ip link set eth1 up', topology.host);
      const transfers = [await connected(), await connected(TARGET4)];
      const sent = transfers.map(({ client }) => client.send(BYTES));
      sh(`ip route replace ${HOST4}/32 dev eth1; ip -6 route replace ${HOST6}/128 dev eth1 src ${TARGET6}`, topology.far);
      sh(
        `ip address del ${HOST4}/24 dev eth0; ip address add ${HOST4}/24 dev eth1
         ip address del ${HOST6}/64 dev eth0; ip address add ${HOST6}/64 dev eth1 nodad
         ip route replace default via ${OTHER_GATEWAY4} dev eth1; ip address replace ${OTHER6}/64 dev eth1 nodad
         ip -6 route replace default via ${OTHER_GATEWAY6} dev eth1`,
        topology.host,
      );
      await translator.waitFor(
        /IPv4 is 192\.0\.2\.2\/24 through 203\.0\.113\.1 by eth1 now[^]*IPv6 [^;]*2001:db8::2\/64 through 2001:db8:5::1 by eth1/,
      );
      for (const { client, server } of transfers) {
        server.resume();
        await Promise.all([server.received(BYTES), server.send(BYTES), client.received(BYTES)]);
      }
      await Promise.all(sent);
      const after = [await connected(), await connected(TARGET4)];
      // The kernel's choice, as for the host's own programs: IPv4 takes the address of the gateway's prefix.
      expect(after.map(({ server }) => server.from)).to.deep.equal([HOST6, OTHER4]);
    });
  });
