/** What routers say of TCP connections: that one can't begin is told as they have said it; one that is there goes on. */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { type Chain, END4, END6, makeChain } from '../support/chain.ts';
import { check, type Running, start } from '../support/processes.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const PORT = 7200;

/** Echoes what comes, in both families. */
const ECHO = `
import socket, threading
def serve(s):
    while data := s.recv(1000): s.send(data)
listener = socket.create_server(('::', ${PORT}), family=socket.AF_INET6, dualstack_ipv6=True)
print('ready', flush=True)
while True: threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
`;

/** Connects and prints why that fails: the error, and who has said which type and code of ICMP (struct sock_extended_err). */
const TRY = (target: string): string => `
import socket, struct
six = ':' in '${target}'
s = socket.socket(socket.AF_INET6 if six else socket.AF_INET)
s.settimeout(10)
s.setsockopt(41 if six else 0, 25 if six else 11, 1)
try: s.connect(('${target}', ${PORT}))
except OSError as error: print(error.errno)
_, control, _, _ = s.recvmsg(1000, 1000, socket.MSG_ERRQUEUE)
record = next(data for level, kind, data in control if kind in (11, 25))
print(*struct.unpack('@IBBB', record[:7]))
offender = record[16:]
print(socket.inet_ntop(socket.AF_INET6, offender[8:24]) if six else socket.inet_ntoa(offender[4:8]))
`;

/** Exchanges a word, then another one when it is told to. */
const TALK = (target: string): string => `
import socket, sys
s = socket.create_connection(('${target}', ${PORT}), 30)
s.send(b'one')
print(s.recv(100).decode(), flush=True)
sys.stdin.readline()
s.send(b'two')
print(s.recv(100).decode(), flush=True)
`;

describe('routers and TCP', function () {
  this.timeout(60_000);
  let chain: Chain;
  let translator: Translator;
  let echo: Running;

  before(async () => {
    chain = makeChain();
    echo = start(['python3', '-c', ECHO], { namespace: chain.end, timeout: 60_000 });
    await echo.waitFor(/ready/);
    translator = await startTranslator('ravioli', chain);
  });

  after(async () => {
    await echo?.stop();
    await translator?.stop();
    chain?.remove();
  });

  const route = (change: 'add' | 'del', kind: string, target: string): void => {
    execFileSync('ip', ['-n', chain.far, 'route', change, kind, target]);
  };

  for (const [target, protocol] of [
    [END4, 'Icmp'],
    [END6, 'Icmp6'],
  ] as const) {
    for (const kind of ['unreachable', 'prohibit']) {
      it(`a connection to ${target} that a router calls ${kind} fails as on the host, by the same router`, async () => {
        route('add', kind, target);
        try {
          const host = await check(['python3', '-c', TRY(target)], { namespace: chain.host });
          expect(host.split('\n')).to.have.length(4);
          expect(await check(['python3', '-c', TRY(target)], { namespace: translator.guest })).to.equal(host);
        } finally {
          route('del', kind, target);
        }
      });
    }

    it(`RFC 1122 §4.2.3.9: a connection to ${target} outlives a time in which a router calls it unreachable`, async () => {
      const told = async (): Promise<number> => {
        const counters = await check(['sh', '-c', 'cat /proc/net/snmp6; nstat -saz'], { namespace: chain.far, user: 0 });
        return Number(new RegExp(`${protocol}OutDestUnreachs\\s+(\\d+)`).exec(counters)?.[1]);
      };
      const talk = start(['python3', '-c', TALK(target)], { namespace: translator.guest });
      await talk.waitFor(/one\n/);
      const before = await told();
      route('add', 'unreachable', target);
      try {
        talk.child.stdin?.end('\n');
        // An error that comes while the kernel is still sending counts for less than one about what it sends again.
        while ((await told()) < before + 2) await new Promise((resolve) => setTimeout(resolve, 20));
      } finally {
        route('del', 'unreachable', target);
      }
      await talk.waitFor(/two\n/, 20_000);
      expect((await talk.finished).code).to.equal(0);
    });
  }
});
