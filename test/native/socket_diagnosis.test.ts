/**
 * The opener's socket that tells of sockets: it is made before the seal, and tells of the guest's namespace whoever holds it.
 */
import { expect } from 'chai';
import { Verb } from '../../shared/opener.ts';
import { NetlinkDialogue } from '../../supervisor/host/netlink.ts';
import { PortSet } from '../../supervisor/host/port-set.ts';
import { hear } from '../../supervisor/host/socket-diagnosis.ts';
import { Namespace, Opener } from './opener_client.ts';
import { native } from './rooms.ts';

describe('native/opener, SOCKET_DIAGNOSIS', () => {
  it('tells of the services in the namespace, and of no others', async () => {
    const namespace = await Namespace.make();
    const opener = Opener.inside(namespace);
    const { result, fd } = await opener.ask('supervisor', { verb: Verb.SOCKET_DIAGNOSIS });
    expect(result).to.equal(0);
    expect(await opener.seal()).to.equal(0);
    const dialogue = new NetlinkDialogue(native, fd);
    const heard = (protocol: 'tcp' | 'udp'): number[] => {
      const ports = new PortSet();
      hear(dialogue, protocol, (port) => ports.add(port));
      return [...ports];
    };
    expect([heard('tcp'), heard('udp')]).to.deep.equal([[], []]);
    const tcp = await namespace.serve('tcp');
    const udp = await namespace.serve('udp');
    expect([heard('tcp'), heard('udp')]).to.deep.equal([[tcp], [udp]]);
    native.close(fd);
    await opener.end();
    await namespace.end();
  });
});
