/** DSCP and ECN on the wire: what the guest's programs set is what the far end's kernel sees, and what datagrams bring reaches them. */
import { expect } from 'chai';
import { check, type Running, start } from '../support/processes.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const PORT = 7100;
/** DSCP AF41 with ECT(0), and EF (RFC 2597 §6, RFC 3246 §2.7, RFC 3168 §5). */
const OUT = (34 << 2) | 2;
const CHANGED = 46 << 2;

/** Tells and answers datagrams as they were marked; of TCP it sees the marks of SYNs and of segments with payload on a raw socket. */
const FAR = `
import socket, struct, threading
def datagrams(family, level, option, name):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.setsockopt(level, option, 1)
    s.bind(('', ${PORT}))
    print('ready', flush=True)
    while True:
        data, control, _, peer = s.recvmsg(2000, 200)
        mark = control[0][2][0]
        s.setsockopt(level, name, mark ^ 1)
        s.sendto(b'%d' % mark, peer)
def stream(family):
    listener = socket.socket(family)
    listener.bind(('', ${PORT}))
    listener.listen()
    print('ready', flush=True)
    while True:
        s, _ = listener.accept()
        while data := s.recv(1000): s.send(data)
def segments():
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    s.bind(('eth0', 0))
    print('ready', flush=True)
    while True:
        p, (_, protocol, *_) = s.recvfrom(65535)
        four = protocol == 0x0800
        l4 = 20 if four else 40
        if p[9 if four else 6] != 6 or p[l4 + 2:l4 + 4] != struct.pack('!H', ${PORT}): continue
        if len(p) <= l4 + (p[l4 + 12] >> 4) * 4 and p[l4 + 13] != 2: continue
        print('SYN' if p[l4 + 13] == 2 else 'segment', 4 if four else 6, p[1] if four else (struct.unpack('!H', p[:2])[0] >> 4) & 255, flush=True)
for target, arguments in (
    (datagrams, (socket.AF_INET, socket.IPPROTO_IP, socket.IP_RECVTOS, socket.IP_TOS)),
    (datagrams, (socket.AF_INET6, socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, socket.IPV6_TCLASS)),
    (stream, (socket.AF_INET,)), (stream, (socket.AF_INET6,)), (segments, ())):
    threading.Thread(target=target, args=arguments).start()
`;

const GUEST = (kind: 'DGRAM' | 'STREAM', target: string): string => `
import socket
six = ':' in '${target}'
family, level = (socket.AF_INET6, socket.IPPROTO_IPV6) if six else (socket.AF_INET, socket.IPPROTO_IP)
name, tells = (socket.IPV6_TCLASS, socket.IPV6_RECVTCLASS) if six else (socket.IP_TOS, socket.IP_RECVTOS)
s = socket.socket(family, socket.SOCK_${kind})
s.settimeout(5)
s.setsockopt(level, name, ${OUT})
s.connect(('${target}', ${PORT}))
s.setsockopt(level, tells, 1)
for mark in (${OUT}, ${CHANGED}, 0):
    s.setsockopt(level, name, mark)
    s.send(b'question')
    data, control, _, _ = s.recvmsg(2000, 200)
    print(data.decode(), control[0][2][0] if control else '-')
`;

describe('marking', function () {
  this.timeout(30_000);
  let topology: Topology;
  let translator: Translator;
  let far: Running;

  before(async () => {
    topology = makeTopology();
    // Two sockets of one port, each for its family.
    await check(['sh', '-c', 'echo 1 > /proc/sys/net/ipv6/bindv6only'], { namespace: topology.far, user: 0 });
    far = start(['python3', '-c', FAR], { namespace: topology.far, user: 0, timeout: 30_000 });
    await far.waitFor(/(ready\n){5}/, 10_000);
    translator = await startTranslator('ravioli', topology);
  });

  after(async () => {
    await far?.stop();
    await translator?.stop();
    topology?.remove();
  });

  for (const [family, target] of [
    [4, TARGET4],
    [6, TARGET6],
  ] as const) {
    it(`of datagrams over IPv${family}, both ways`, async () => {
      const heard = await check(['python3', '-c', GUEST('DGRAM', target)], { namespace: translator.guest, timeout: 10_000 });
      const expected = [OUT, CHANGED, 0].map((mark) => `${mark} ${mark ^ 1}\n`).join('');
      expect(heard).to.equal(expected);
    });

    it(`of TCP segments over IPv${family}, outward, from the SYN on, without ECN`, async () => {
      await check(['python3', '-c', GUEST('STREAM', target)], { namespace: translator.guest, timeout: 10_000 });
      await far.waitFor(new RegExp(`SYN ${family} ${OUT & ~3}\\n`), 5000);
      for (const mark of [OUT & ~3, CHANGED, 0]) await far.waitFor(new RegExp(`segment ${family} ${mark}\\n`), 5000);
    });
  }
});
