/** ping from the guest: every size, every identifier, many at once, as fast as they come. */
import { expect } from 'chai';
import { check, run } from '../support/processes.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const NO_PORTS = ['-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none'];
const SIZES = [0, 1, 7, 8, 56, 1452, 1453, 1472, 1473, 8192, 65_000];
const AT_ONCE = 50;

/** Sends requests with identifiers of its own choice, which only raw sockets can, and prints those of the replies. */
const IDENTIFIERS = (target: string): string => `
import socket, struct
six = ':' in '${target}'
if six: s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
else: s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
s.settimeout(5)
s.connect(('${target}', 0))
def sum16(data):
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while total > 0xffff: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
for identifier in (0, 1, 0xbeef, 0xffff):
    words = [128 if six else 8, 0, 0, identifier, 7]
    if not six: words[2] = sum16(struct.pack('!BBHHH', *words))
    s.send(struct.pack('!BBHHH', *words))
    while True:
        reply = s.recv(2000)[0 if six else 20:]
        if reply[0] == (129 if six else 0): break
    print(*struct.unpack('!HH', reply[4:8]))
`;

describe('ping', function () {
  this.timeout(60_000);
  let topology: Topology;

  before(() => {
    topology = makeTopology();
  });

  after(() => topology?.remove());

  for (const mtu of [1500, 65_520]) {
    describe(`from a guest with an MTU of ${mtu}`, () => {
      let translator: Translator;

      before(async () => {
        translator = await startTranslator('ravioli', topology, { mtu, options: NO_PORTS });
      });

      after(() => translator?.stop());

      for (const [target, headers] of [
        [TARGET4, 28],
        [TARGET6, 48],
      ] as const) {
        const ping = (size: number, ...more: string[]): Promise<string> =>
          // One at a time: of several, ping gives up those that take longer than twice the longest before.
          check(['ping', '-n', '-c', '1', '-W', '10', '-s', `${size}`, ...more, target], {
            namespace: translator.guest,
          });

        it(`${target} answers each size with the same bytes`, async () => {
          for (const size of SIZES) {
            const said = await ping(size);
            expect(said.match(new RegExp(`^${size + 8} bytes from ${target}: icmp_seq=1 ttl=64`, 'gm')), said).to.have.length(1);
            expect(said).not.to.match(/wrong|duplicate|DUP|corrupt/);
          }
        });

        it(`${target} answers what its path carries whole, when it must stay whole`, async () => {
          for (const size of [56, 1500 - headers])
            expect(await ping(size, '-M', 'do')).to.match(new RegExp(`^${size + 8} bytes from .*icmp_seq=1`, 'm'));
        });
      }

      it(`the path is narrower than ${TARGET4} would need: what must stay whole is not fragmented on the way`, async () => {
        const words = ['ping', '-n', '-c', '2', '-i', '0.01', '-W', '10', '-s', '1473', '-M', 'do', TARGET4];
        for (const namespace of [topology.host, translator.guest]) {
          const { code, stdout, stderr } = await run(words, { namespace });
          expect(code, stdout + stderr).to.equal(1);
          expect(stdout + stderr).to.match(/mtu ?= ?1500/);
        }
      });
    });
  }

  describe('many', () => {
    let translator: Translator;

    before(async () => {
      translator = await startTranslator('ravioli', topology, { options: NO_PORTS });
    });

    after(() => translator?.stop());

    for (const target of [TARGET4, TARGET6]) {
      it(`identifiers of ${target}'s replies are those of the requests, whichever they are`, async () => {
        const replies = await check(['python3', '-c', IDENTIFIERS(target)], { namespace: translator.guest, user: 0 });
        expect(replies).to.equal('0 7\n1 7\n48879 7\n65535 7\n');
      });

      it(`${AT_ONCE} programs that ping ${target} at once get their own replies, all of them`, async () => {
        const words = ['sh', '-c', `for turn in 1 2 3 4 5; do ping -q -c 1 -W 10 ${target}; done`];
        const said = await Promise.all(Array.from({ length: AT_ONCE }, () => check(words, { namespace: translator.guest })));
        for (const each of said) expect(each.match(/1 packets transmitted, 1 received, 0% packet loss/g)).to.have.length(5);
      });

      it(`a flood of ${target} loses nothing`, async () => {
        const said = await check(['ping', '-q', '-f', '-c', '10000', target], { namespace: translator.guest, user: 0 });
        expect(said).to.match(/10000 packets transmitted, 10000 received, 0% packet loss/);
      });
    }
  });
});
