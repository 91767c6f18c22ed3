/**
 * A socket that systemd has bound: a privileged port, though the product has no privilege. systemd-socket-activate speaks systemd's side.
 */
import { expect } from 'chai';
import { type Endpoint, startEndpoint } from '../support/endpoint.ts';
import { type Running, start, UNPRIVILEGED } from '../support/processes.ts';
import { HOST4, makeTopology, TARGET4, type Topology } from '../support/topology.ts';
import { descendant, PRODUCT } from '../support/translator.ts';

const AS_NOBODY = ['setpriv', `--reuid=${UNPRIVILEGED}`, `--regid=${UNPRIVILEGED}`, '--clear-groups'];
const SHOW = 'echo "left: $(env | grep -c ^LISTEN_) $(ls /proc/self/fd | wc -l)"; exec sleep infinity';

describe('sockets that were handed in', function () {
  this.timeout(60_000);
  let topology: Topology;
  let far: Endpoint;
  let running: Running | null = null;
  let guest: Endpoint | null = null;

  before(async () => {
    topology = makeTopology();
    far = await startEndpoint({ namespace: topology.far });
  });
  afterEach(async () => {
    await guest?.stop();
    await running?.stop();
  });
  after(async () => {
    await far?.stop();
    topology?.remove();
  });

  /** The product starts when somebody comes to the socket. */
  const activate = (socket: readonly string[], options: readonly string[]): Running => {
    const words = ['systemd-socket-activate', ...socket, ...AS_NOBODY, PRODUCT, '--config-net', ...options, '--', 'sh', '-c', SHOW];
    running = start(words, { namespace: topology.host, user: 0, timeout: 60_000 });
    return running;
  };

  it('bring what comes to a privileged port to the port that their name says, and leave nothing to the command', async () => {
    const product = activate(['--listen=0.0.0.0:444', '--fdname=tcp-6510'], ['-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none']);
    await product.waitFor(/Listening on/);
    await far.connect(HOST4, 444);
    const [, variables, descriptors] = await product.waitFor(/left: (\d+) (\d+)/);
    expect([variables, descriptors], 'variables, and descriptors with the one that ls reads').to.deep.equal(['0', '4']);
    guest = await startEndpoint({ namespace: await descendant(product.pid, 'sleep') });
    const listener = await guest.listen('0.0.0.0', 6510);
    const accepting = listener.accept();
    const client = await far.connect(HOST4, 444);
    const accepted = await accepting;
    expect(accepted.from).to.equal(TARGET4);
    accepted.resume();
    await client.send(100_000);
    await accepted.received(100_000);
  });

  it('are refused when they are none that can be forwarded, with one line', async () => {
    const product = activate(['--listen=0.0.0.0:445', '--fdname=udp-53'], []);
    await product.waitFor(/Listening on/);
    await far.connect(HOST4, 445);
    const { code, stderr } = await product.finished;
    expect(code).to.equal(1);
    expect(stderr).to.include("pasta: socket 3 ('udp-53') is a TCP socket; name it tcp-53, or 53\n");
  });
});
