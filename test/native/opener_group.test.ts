/** The sockets of flows to a group: the one that asks, and the one that hears the replies. */
import { expect } from 'chai';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Native as WorkerNative } from '../../native/worker.d.ts';
import { Verb } from '../../shared/opener.ts';
import { Namespace, Opener, type Question } from './opener_client.ts';
import { native } from './rooms.ts';

const options = createRequire(import.meta.url)(fileURLToPath(new URL('../../native/out/worker.node', import.meta.url))) as WorkerNative;
const EPERM = -1;
const EACCES = -13;
const EADDRNOTAVAIL = -99;

/** The namespace has 192.0.2.1 beside its loopback, and groups are reached by lo, see Namespace. */
const udp4: Question = { verb: Verb.UDP_CONNECT, family: 4, destination: '192.0.2.1', destinationPort: 9 };
const group4: Question = { ...udp4, verb: Verb.UDP_GROUP, destination: '224.0.0.251' };

describe('native/opener: groups', () => {
  let namespace: Namespace;
  let opener: Opener;

  before(async () => {
    namespace = await Namespace.make();
  });
  after(async () => namespace.end());
  beforeEach(async () => {
    opener = Opener.inside(namespace);
    expect(await opener.seal()).to.equal(0);
  });
  afterEach(async () => opener.end());

  it('answers by the table', async () => {
    const rows: [string, Question, number | 'port'][] = [
      ['a UDP multicast group', group4, 'port'],
      ['a group by a link', { ...group4, interface: 1 }, 'port'],
      ['a group by a link that there is not', { ...group4, interface: 77 }, EADDRNOTAVAIL],
      ['the replies of a group', { ...group4, verb: Verb.UDP_REPLIES }, 'port'],
      ['the broadcast address of a subnet', { ...group4, destination: '192.0.2.255' }, 'port'],
      ['the broadcast address of a subnet as a host', { ...udp4, destination: '192.0.2.255' }, EACCES],
      ['a group as if it were a host', { ...udp4, destination: '224.0.0.251' }, EPERM],
      ['a group of the loopback interface', { ...group4, family: 6, destination: 'ff01::1', interface: 1 }, EPERM],
      ['replies from the loopback', { ...group4, verb: Verb.UDP_REPLIES, destination: '127.0.0.1' }, EPERM],
    ];
    for (const [what, question, expected] of rows) {
      const { result, fd } = await opener.ask('worker', question);
      if (expected === 'port') expect(result, what).to.be.within(1, 65535);
      else expect(result, what).to.equal(expected);
      if (fd >= 0) native.close(fd);
    }
  });

  it('makes a socket for replies of a group, alone on its port and unable to send, beside which the group is asked from that port', async () => {
    const port = await namespace.serve('udp');
    const asked = { ...group4, sourcePort: 40126 };
    const replies = await opener.ask('worker', { ...asked, verb: Verb.UDP_REPLIES });
    expect(replies.result).to.equal(40126);
    const group = await opener.ask('worker', asked);
    expect(group.result, 'the port of the replies').to.equal(40126);
    expect(options.getOption(group.fd, 0, 13), 'IP_RECVTOS').to.equal(1);
    expect(native.send(replies.fd, Buffer.from('to nobody')), 'EDESTADDRREQ').to.equal(-89);
    const second = await opener.ask('worker', { ...asked, verb: Verb.UDP_REPLIES });
    expect(second.result, 'a port that somebody has').to.be.above(0).and.not.equal(40126);
    const taken = await opener.ask('worker', { ...asked, verb: Verb.UDP_REPLIES, sourcePort: port });
    expect(taken.result, 'a port of a program').to.be.above(0).and.not.equal(port);
    const host = await opener.ask('worker', { ...udp4, destinationPort: 40126, sourcePort: 40127 });
    native.send(host.fd, Buffer.from('a reply'));
    expect(native.waitReadable(replies.fd, 1000), 'from a host that is no group').to.equal(1);
    expect(`${Buffer.from(native.receive(replies.fd, 100) as Uint8Array)}`).to.equal('a reply');
    for (const { fd } of [replies, group, second, taken, host]) native.close(fd);
  });
});
