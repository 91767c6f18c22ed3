/** Which address and interface the guest's connections leave by, as the far end and the kernel see it. */
import { expect } from 'chai';
import { check, run, type Running, start, UNPRIVILEGED } from '../support/processes.ts';
import { GATEWAY4, HOST4, HOST6, makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { PRODUCT, runProduct } from '../support/translator.ts';

const PORT = 7200;
const OTHER4 = '192.0.2.77';
const OTHER6 = '2001:db8::77';

/** Tells everybody, by TCP and UDP, from where they come; of IPv6, from the address of its argument. */
const FAR = `
import socket, sys, threading
def datagrams(family):
    s = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((sys.argv[1] if family == socket.AF_INET6 else '', ${PORT}))
    print('ready', flush=True)
    while True:
        _, peer = s.recvfrom(100)
        s.sendto(peer[0].encode(), peer)
def stream(family):
    listener = socket.socket(family)
    if family == socket.AF_INET6: listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind(('', ${PORT}))
    listener.listen()
    print('ready', flush=True)
    while True:
        s, peer = listener.accept()
        # What is not read when it is closed would reset it.
        s.recv(1)
        s.sendall(peer[0].encode())
        s.close()
for family in (socket.AF_INET, socket.AF_INET6):
    for target in (datagrams, stream): threading.Thread(target=target, args=(family,)).start()
`;

/** What the guest is told, TCP then UDP of each address; an error's name where there is no answer. */
const GUEST = `
import errno, socket, sys
answers = sys.argv[1] == 'answers'
for address in sys.argv[2:]:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        s = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, kind)
        s.settimeout(5 if ':' in address or answers else 0.5)
        try:
            s.connect((address, ${PORT}))
            s.send(b'?')
            print(s.recv(100).decode())
        except OSError as e:
            print(errno.errorcode.get(e.errno, 'nothing'))
`;

describe('netns: outbound', function () {
  this.timeout(30_000);
  let topology: Topology;
  let far: Running;

  before(async () => {
    topology = makeTopology();
    for (const words of [
      ['address', 'add', `${OTHER4}/24`, 'dev', 'eth0'],
      ['address', 'add', `${OTHER6}/64`, 'dev', 'eth0', 'nodad', 'preferred_lft', '0'],
      ['link', 'add', 'dm0', 'type', 'veth', 'peer', 'name', 'dm1'],
      ['link', 'set', 'dm1', 'up'],
      ['address', 'add', '203.0.113.1/24', 'dev', 'dm0'],
      ['link', 'set', 'dm0', 'up'],
    ])
      await check(['ip', '-netns', topology.host, ...words], { user: 0 });
    far = start(['python3', '-c', FAR, TARGET6], { namespace: topology.far, user: UNPRIVILEGED });
    await far.waitFor(/(ready\s*){4}/);
  });
  after(async () => {
    await far.stop('SIGKILL');
    topology.remove();
  });

  const asked = async (options: readonly string[], ...addresses: string[]): Promise<string[]> => {
    // Without an answer of IPv4 it is not waited for long.
    const answers = options.includes('dm0') ? 'none' : 'answers';
    const result = await runProduct(topology, options, ['python3', '-c', GUEST, answers, ...addresses]);
    expect(result.code, result.stderr).to.equal(0);
    return result.stdout.trim().split('\n');
  };

  it('is what routes say when nothing is asked for', async () => {
    expect(await asked([], TARGET4, TARGET6)).to.deep.equal([HOST4, HOST4, HOST6, HOST6]);
  });

  it('is the address of --outbound, for its family alone', async () => {
    expect(await asked(['-o', OTHER4], TARGET4, TARGET6)).to.deep.equal([OTHER4, OTHER4, HOST6, HOST6]);
    expect(await asked(['-o', OTHER4, '--outbound', OTHER6], TARGET4, TARGET6)).to.deep.equal([OTHER4, OTHER4, OTHER6, OTHER6]);
  });

  it('an address that the host lacks is told, and nothing leaves without it', async () => {
    const result = await runProduct(topology, ['-o', '192.0.2.99'], ['python3', '-c', GUEST, 'none', TARGET4]);
    expect(result.stderr).to.match(
      /^pasta: --outbound 192\.0\.2\.99: this host does not have that address; until it has, nothing of IPv4 leaves$/m,
    );
    expect(result.stdout).not.to.contain(HOST4);
  });

  it('the loopback of the host is reached all the same', async () => {
    const local = start(['python3', '-c', FAR, '::1'], { namespace: topology.host });
    await local.waitFor(/(ready\s*){4}/);
    expect(await asked(['-o', OTHER4, '--outbound-if4', 'eth0'], GATEWAY4)).to.deep.equal(['127.0.0.1', '127.0.0.1']);
    await local.stop('SIGKILL');
  });

  it('is the interface of --outbound-if4 and --outbound-if6, and no other', async () => {
    expect(await asked(['--outbound-if4', 'eth0', '--outbound-if6', 'eth0'], TARGET4, TARGET6)).to.deep.equal([HOST4, HOST4, HOST6, HOST6]);
    const [tcp, udp, ...six] = await asked(['--outbound-if4', 'dm0', '-i', 'eth0'], TARGET4, TARGET6);
    expect([tcp, udp]).not.to.include(HOST4);
    expect(six).to.deep.equal([HOST6, HOST6]);
  });

  it('an interface is the template as well, and one that is none ends the start', async () => {
    const shown = await runProduct(topology, ['--outbound-if4', 'dm0', '-4'], ['ip', '-4', '-brief', 'address', 'show', 'dm0']);
    expect(shown.stdout).to.contain('203.0.113.1/24');
    const missing = await run([PRODUCT, '--outbound-if4', 'nope0', '--', 'true']);
    expect(missing.code).to.equal(1);
    expect(missing.stderr).to.equal("pasta: --outbound-if4 'nope0': there is no such interface; 'ip link' lists those of this host\n");
  });
});
