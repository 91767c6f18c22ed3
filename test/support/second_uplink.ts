/**
 * A second link between host and far, and ways of a host from one uplink to the other.
 *
 *     host eth1 (203.0.113.2/24, 2001:db8:5::2/64) ── far eth1 (203.0.113.1, 2001:db8:5::1)
 */
import { execFileSync } from 'node:child_process';
import { GATEWAY4, GATEWAY6, TARGET4, type Topology } from './topology.ts';

export const OTHER4 = '203.0.113.2';
export const OTHER6 = '2001:db8:5::2';
export const OTHER_GATEWAY4 = '203.0.113.1';
export const OTHER_GATEWAY6 = '2001:db8:5::1';

/** Runs a script in a namespace of `ip netns`. */
export function sh(script: string, namespace: string): string {
  return execFileSync('ip', ['netns', 'exec', namespace, 'sh', '-ec', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Makes the link; routes of the host by it are up to each test. */
export function plugOther(topology: Topology): void {
  sh(
    `ip link add eth1 type veth peer name eth1 netns ${topology.far}
     ip address add ${OTHER4}/24 dev eth1; ip address add ${OTHER6}/64 dev eth1 nodad; ip link set eth1 up`,
    topology.host,
  );
  sh(
    `ip address add ${OTHER_GATEWAY4}/24 dev eth1; ip address add ${OTHER_GATEWAY6}/64 dev eth1 nodad; ip link set eth1 up
     ip route change 203.0.113.0/24 dev eth1 src ${TARGET4}
     for device in all eth0 eth1; do echo 0 > /proc/sys/net/ipv4/conf/$device/rp_filter; done`,
    topology.far,
  );
  sh('for device in all eth0 eth1; do echo 0 > /proc/sys/net/ipv4/conf/$device/rp_filter; done', topology.host);
}

/** Scripts for the host: both default routes by the one link or the other. */
export const useOther = `ip route replace default via ${OTHER_GATEWAY4} dev eth1
ip -6 route del default; ip -6 route add default via ${OTHER_GATEWAY6} dev eth1`;
export const routesOfFirst = `ip route replace default via ${GATEWAY4} dev eth0
ip -6 route replace default via ${GATEWAY6} dev eth0`;
export const useFirst = `ip -6 route del default; ${routesOfFirst}`;
