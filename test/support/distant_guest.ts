/**
 * A guest behind a bad network: a namespace of its own, whose TCP is a real kernel's, one bad link away from the namespace that the
 * translator serves. That one only forwards, so the two ends of the bad link's TCP are the distant kernel and the translator.
 *
 *     distant (10.77.0.2, fd77::2) ── impair ── (10.77.0.1, fd77::1) what the translator serves ── its tap ── translator ── host ── far
 *
 * With no translator (`bare`) the `host` namespace forwards, and both ends are kernels: the same link, the same luck.
 *
 * Nothing of the link's own can be lost: neighbours are entered by hand, and the queues of all taps hold more than any window.
 */
import { execFileSync } from 'node:child_process';
import { type BadNetwork, type Impairment, startBadNetwork } from './impairment.ts';
import { HOST4, HOST6, removeNamespace, setKernel, type Topology } from './topology.ts';
import type { Translator } from './translator.ts';

const GUEST = { ipv4: '10.77.0.2', ipv6: 'fd77::2', mac: '02:00:00:00:77:02' };
const ROUTER = { ipv4: '10.77.0.1', ipv6: 'fd77::1', mac: '02:00:00:00:77:01' };
const INTERFACE = 'bad0';
/** Packets; impair.c says the same of its taps. */
const QUEUE = 16_384;

export interface DistantGuest {
  /** Name of the distant namespace: what `namespace` of RunOptions takes. */
  readonly namespace: string;
  /** Ends what runs there, and the link; tells what the link did to frames on their way out of the guest, and into it. */
  stop(): ReturnType<BadNetwork['stop']>;
}

/** One end of the link. Its MTU is 1500. */
function address(own: typeof GUEST, peer: typeof GUEST): string {
  return `ip link set ${INTERFACE} address ${own.mac}
ip addr add ${own.ipv4}/30 dev ${INTERFACE}
ip addr add ${own.ipv6}/64 dev ${INTERFACE} nodad
ip link set ${INTERFACE} up
ip neigh replace ${peer.ipv4} lladdr ${peer.mac} dev ${INTERFACE} nud permanent
ip neigh replace ${peer.ipv6} lladdr ${peer.mac} dev ${INTERFACE} nud permanent
`;
}

const ROUTING = `${address(ROUTER, GUEST)}
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
for path in /proc/sys/net/ipv4/conf/*; do
  case $path in */all | */default | */lo) ;; *) ip link set "\${path##*/}" txqueuelen ${QUEUE} ;; esac
done`;

const LIVING = `ip link set lo up
${address(GUEST, ROUTER)}
ip route add default via ${ROUTER.ipv4}
ip -6 route add default via ${ROUTER.ipv6}`;

const WAY_BACK = `ip route replace ${GUEST.ipv4}/32 via ${HOST4}
ip -6 route replace ${GUEST.ipv6}/128 via ${HOST6}`;

function configure(path: string, script: string): void {
  execFileSync('nsenter', [`--net=${path}`, 'sh', '-ec', script], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Puts a guest behind what the translator serves; one for each translator. It is gone at exit at the latest. */
export async function makeDistantGuest(topology: Topology, translator: Translator, bad: Impairment): Promise<DistantGuest> {
  const namespace = topology.host.replace(/h$/, 'g');
  const [distant, served] = [`/run/netns/${namespace}`, `/proc/${translator.guest}/ns/net`];
  const remove = (): void => removeNamespace(namespace);
  remove();
  execFileSync('ip', ['netns', 'add', namespace]);
  process.once('exit', remove);
  setKernel(namespace);
  const network = await startBadNetwork(distant, served, INTERFACE, bad);
  configure(distant, LIVING);
  configure(served, ROUTING);
  if (translator.tool === 'bare') configure(`/run/netns/${topology.far}`, WAY_BACK);
  return {
    namespace,
    async stop() {
      const carried = await network.stop();
      process.removeListener('exit', remove);
      remove();
      return carried;
    },
  };
}
