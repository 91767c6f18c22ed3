/** The one exception from the ban of the host's loopback: its resolver, on the ports of DNS. */
import { expect } from 'chai';
import { Verb } from '../../shared/opener.ts';
import { Namespace, Opener, type Question } from './opener_client.ts';
import { native } from './rooms.ts';

const EPERM = -1;
const EINVAL = -22;

const tcp4: Question = { verb: Verb.TCP_CONNECT, family: 4 };
const tcp6: Question = { verb: Verb.TCP_CONNECT, family: 6 };
const udp4: Question = { verb: Verb.UDP_CONNECT, family: 4 };
const udp6: Question = { verb: Verb.UDP_CONNECT, family: 6 };
const ping4: Question = { verb: Verb.PING, family: 4 };
const ping6: Question = { verb: Verb.PING, family: 6 };

describe('native/opener, sealed, with the resolver on the loopback', () => {
  let namespace: Namespace;
  let opener: Opener;

  before(async () => {
    namespace = await Namespace.make();
  });
  after(async () => namespace.end());
  afterEach(async () => opener.end());

  const RESOLVER4 = '127.0.0.53';
  const dns4 = { ...udp4, destination: RESOLVER4, destinationPort: 53 };
  const dns6 = { ...udp6, destination: '::1', destinationPort: 853 };
  const resolver = (family: number, destination: string) => opener.ask('supervisor', { verb: Verb.RESOLVER, family, destination });

  async function results(...questions: Question[]): Promise<(number | 'port')[]> {
    const all: (number | 'port')[] = [];
    for (const question of questions) {
      const { result, fd } = await opener.ask('worker', question);
      if (fd >= 0) native.close(fd);
      all.push(result > 0 ? 'port' : result);
    }
    return all;
  }

  beforeEach(async () => {
    opener = Opener.inside(namespace);
    expect(await opener.seal()).to.equal(0);
    expect(await results(dns4, dns6)).to.deep.equal([EPERM, EPERM]);
    expect((await resolver(4, RESOLVER4)).result).to.equal(0);
    expect((await resolver(6, '::1')).result).to.equal(0);
  });

  it('reaches that address by TCP and UDP on the two ports of DNS', async () => {
    for (const destinationPort of [53, 853]) {
      expect(await results({ ...dns4, destinationPort }, { ...dns6, destinationPort })).to.deep.equal(['port', 'port']);
      const tcp = await results({ ...tcp4, destination: RESOLVER4, destinationPort }, { ...tcp6, destination: '::1', destinationPort });
      expect(tcp).to.deep.equal([0, 0]);
    }
  });

  const refused: readonly (readonly [string, Question])[] = [
    ['another port', { ...dns4, destinationPort: 54 }],
    ['another port of TCP', { ...tcp4, destination: RESOLVER4, destinationPort: 80 }],
    ['another port of IPv6', { ...dns6, destinationPort: 80 }],
    ['port 0', { ...dns4, destinationPort: 0 }],
    ['another address of the loopback', { ...dns4, destination: '127.0.0.54' }],
    ['127.0.0.1', { ...dns4, destination: '127.0.0.1' }],
    ['0.0.0.0', { ...dns4, destination: '0.0.0.0' }],
    ['::', { ...dns6, destination: '::' }],
    ['the loopback as source', { ...dns4, source: '127.0.0.1' }],
    ['the loopback of IPv6 as source', { ...dns6, source: '::1' }],
    ['a ping', { ...ping4, destination: RESOLVER4, destinationPort: 53 }],
    ['a ping of IPv6', { ...ping6, destination: '::1', destinationPort: 53 }],
  ];
  for (const [what, question] of refused) it(`does not reach ${what}`, async () => expect(await results(question)).to.deep.equal([EPERM]));

  it('forgets it when another one is named, or none', async () => {
    expect((await resolver(4, '127.0.0.54')).result).to.equal(0);
    expect(await results(dns4, { ...dns4, destination: '127.0.0.54' }, dns6)).to.deep.equal([EPERM, 'port', 'port']);
    for (const family of [4, 6]) expect((await resolver(family, '::')).result).to.equal(0);
    expect(await results(dns4, { ...dns4, destination: '127.0.0.54' }, dns6)).to.deep.equal([EPERM, EPERM, EPERM]);
  });

  it('is not told by the worker', async () => {
    const own = { verb: Verb.RESOLVER, family: 4, destination: '127.0.0.1' };
    expect(await results(own, { ...dns4, destination: '127.0.0.1' }, dns4)).to.deep.equal([EPERM, EPERM, 'port']);
  });

  it('takes only addresses of the loopback, of the family', async () => {
    for (const [family, destination] of [
      [4, '192.0.2.1'],
      [4, '::1'],
      [6, RESOLVER4],
      [6, '2001:db8::1'],
      [6, 'ff01::1'],
      [5, RESOLVER4],
    ] as const)
      expect((await resolver(family, destination)).result, `${family} ${destination}`).to.equal(EINVAL);
    expect(await results(dns4, dns6)).to.deep.equal(['port', 'port']);
  });
});
