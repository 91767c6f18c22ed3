/** Discovery: the guest asks a group or everybody on the link, and devices answer from addresses of their own. */
import { expect } from 'chai';
import { check, type Running, start } from '../support/processes.ts';
import { GATEWAY4, HOST4, HOST6, makeTopology, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const SSDP = 1900;
const MDNS = 5353;
const BROADCAST = 6771;

/** Hears groups and broadcasts on its link, says how each question came, and answers from a socket of its own. */
const DEVICE = `
import select, socket, struct
link = socket.if_nametoindex("eth0") # 12 is IP_RECVTTL
asked = []
for port in (${SSDP}, ${MDNS}, ${BROADCAST}):
    four = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    four.setsockopt(socket.IPPROTO_IP, 12, 1)
    four.bind(('', port))
    for group in ('239.255.255.250', '224.0.0.251'):
        four.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + struct.pack('@II', 0, link))
    six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
    six.bind(('::', port))
    for group in ('ff02::c', 'ff02::fb', 'ff05::c'):
        six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, group) + struct.pack('@I', link))
    asked += [four, six]
voices = {family: socket.socket(family, socket.SOCK_DGRAM) for family in (socket.AF_INET, socket.AF_INET6)}
voices[socket.AF_INET].bind(('${GATEWAY4}', 0))
print('ready', flush=True)
while True:
    for heard in select.select(asked, [], [])[0]:
        question, control, _, asker = heard.recvmsg(2000, 200)
        hops = struct.unpack('@i', control[0][2][:4])[0]
        print('asked', heard.getsockname()[1], asker[0].split('%')[0], 'hops', hops, question.decode(), flush=True)
        voices[heard.family].sendto(b'here ' + question, asker)
`;

/** Asks `address` with `hops`; prints what comes from whom, until somebody has answered and been answered. */
const ASKER = (family: 4 | 6, address: string, port: number, hops: number, question: string): string => `
import socket, struct
link = next(i for i, name in socket.if_nameindex() if name != 'lo')
s = socket.socket(socket.AF_INET${family === 4 ? '' : '6'}, socket.SOCK_DGRAM)
s.settimeout(5)
if ${family} == 4:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ${hops})
    s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ${hops})
    s.bind(('', 50007))
else:
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, ${hops})
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, link)
    s.bind(('::', 50007))
s.sendto(b'${question}', ('${address}', ${port}))
answer, device = s.recvfrom(2000)
print('answered', device[0].split('%')[0], device[1], answer.decode())
`;

describe('discovery', function () {
  this.timeout(60_000);
  let topology: Topology;
  let translator: Translator;
  let device: Running;

  before(async () => {
    topology = makeTopology();
    // Another link of the host's, which is no business of the guest's, though groups are routed to it.
    for (const command of [
      'link add other type veth peer name deaf',
      'addr add 10.9.9.1/24 dev other',
      'link set deaf up',
      'link set other up',
      'route add 224.0.0.0/4 dev other',
    ])
      await check(['ip', '-n', topology.host, ...command.split(' ')], { user: 0 });
    device = start(['python3', '-c', DEVICE], { namespace: topology.far, user: 0, timeout: 60_000 });
    await device.waitFor(/ready/, 10_000);
    translator = await startTranslator('ravioli', topology);
  });

  after(async () => {
    await device?.stop();
    await translator?.stop();
    topology?.remove();
  });

  const rows = [
    ['SSDP', 4, '239.255.255.250', SSDP, 4, 'M-SEARCH', HOST4],
    ['mDNS', 4, '224.0.0.251', MDNS, 255, 'QU', HOST4],
    ['a broadcast', 4, '255.255.255.255', BROADCAST, 64, 'all', HOST4],
    ['a broadcast of the subnet', 4, '192.0.2.255', BROADCAST, 64, 'subnet', HOST4],
    ['SSDP', 6, 'ff02::c', SSDP, 1, 'link', '(fe80:|2001:db8::2$).*'],
    ['SSDP of the site', 6, 'ff05::c', SSDP, 3, 'site', HOST6],
    ['mDNS', 6, 'ff02::fb', MDNS, 255, 'QU6', '(fe80:|2001:db8::2$).*'],
  ] as const;
  for (const [what, family, address, port, hops, question, from] of rows) {
    it(`${what} over IPv${family}: ${address} is asked with the guest’s hop limit, by its link, and who answers is heard`, async () => {
      const heard = await check(['python3', '-c', ASKER(family, address, port, hops, question)], {
        namespace: translator.guest,
        timeout: 10_000,
      });
      const asked = await device.waitFor(new RegExp(`asked ${port} (\\S+) hops (\\d+) ${question}\\n`), 5000);
      expect(asked[1]).to.match(new RegExp(`^${from}$`));
      expect(Number(asked[2])).to.equal(hops);
      const [, who, , answer] = /^answered (\S+) (\d+) (.*)\n$/.exec(heard) ?? [];
      if (family === 4) expect(who).to.equal(GATEWAY4);
      else expect(who).to.match(/^(fe80|2001:db8):/);
      expect(answer).to.equal(`here ${question}`);
    });
  }
});
