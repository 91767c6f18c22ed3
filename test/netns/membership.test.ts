/** What a real kernel reports of its groups, in each version of IGMP and MLD, is what the worker knows. */
import { expect } from 'chai';
import { check, start } from '../support/processes.ts';
import { makeTopology, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

/** Joins a group, of one source only if there is one, and leaves it when its input ends. */
const MEMBER = (group: string, source: string): string => `
import socket, struct, sys
link = socket.if_nametoindex('eth0')
if ':' in '${group}':
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, '${group}') + struct.pack('@I', link))
else:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    mine = socket.inet_aton('192.0.2.2')
    if '${source}': # 39 is IP_ADD_SOURCE_MEMBERSHIP
        s.setsockopt(socket.IPPROTO_IP, 39, socket.inet_aton('${group}') + mine + socket.inet_aton('${source}'))
    else:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton('${group}') + struct.pack('@II', 0, link))
sys.stdin.read()
`;

describe('the groups that the guest is in', function () {
  this.timeout(60_000);
  let topology: Topology;
  let translator: Translator;

  before(async () => {
    topology = makeTopology();
    translator = await startTranslator('ravioli', topology, { options: ['-d', '-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none'] });
  });

  after(async () => {
    await translator?.stop();
    topology?.remove();
  });

  const rows = [
    ['IGMPv3', 'ipv4/conf/eth0/force_igmp_version', 3, '239.1.2.3', ''],
    ['IGMPv3, of one source', 'ipv4/conf/eth0/force_igmp_version', 3, '232.1.2.3', '192.0.2.7'],
    ['IGMPv2', 'ipv4/conf/eth0/force_igmp_version', 2, '239.1.2.4', ''],
    ['MLDv2', 'ipv6/conf/eth0/force_mld_version', 2, 'ff05::7', ''],
    ['MLDv1', 'ipv6/conf/eth0/force_mld_version', 1, 'ff05::8', ''],
  ] as const;
  for (const [what, setting, version, group, source] of rows) {
    it(`by ${what}: ${group} is known when it is joined, and when it is left`, async () => {
      await check(['sh', '-c', `echo ${version} > /proc/sys/net/${setting}`], { namespace: translator.guest, user: 0 });
      const member = start(['python3', '-c', MEMBER(group, source)], { namespace: translator.guest });
      await translator.waitFor(new RegExp(`joined the group ${group};`), 15_000);
      member.child.stdin?.end();
      await translator.waitFor(new RegExp(`left the group ${group};`), 15_000);
      expect((await member.finished).code).to.equal(0);
    });
  }

  it('by IGMPv1, which tells of joining only; and the host is in none of them', async () => {
    await check(['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/conf/eth0/force_igmp_version'], { namespace: translator.guest, user: 0 });
    const member = start(['python3', '-c', MEMBER('239.1.2.5', '')], { namespace: translator.guest });
    await translator.waitFor(/joined the group 239\.1\.2\.5;/, 15_000);
    const groups = await check(['ip', 'maddress', 'show'], { namespace: topology.host, user: 0 });
    expect(groups).to.contain('224.0.0.1');
    expect(groups).not.to.match(/239\.1|232\.1|ff05::/);
    await member.stop();
  });
});
