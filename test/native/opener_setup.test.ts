/** What an opener is told before it is sealed, and what it says when it can't be one. */
import { openSync } from 'node:fs';
import { expect } from 'chai';
import { Notice, OpenerAnswer, Verb } from '../../shared/opener.ts';
import { Namespace, Opener, type Question } from './opener_client.ts';
import { native, openerPath, start } from './rooms.ts';

const EINVAL = -22;
const EADDRNOTAVAIL = -99;

describe('native/opener, before the seal', () => {
  it('tells the supervisor which namespace it can not join, and ends', async () => {
    const file = openSync('/dev/null', 'r');
    for (const [args, notice, errno] of [
      [['--join-net', '3'], Notice.NETWORK_NAMESPACE, EINVAL],
      [['--join', '3', '5'], Notice.NETWORK_NAMESPACE, EINVAL],
    ] as const) {
      const [ours, theirs] = native.socketPair();
      const started = start(openerPath, ['name', ...args, '4'], [file, theirs, file]);
      native.close(theirs);
      expect(await started.ended).to.deep.equal({ code: 1, signal: null });
      const said = native.receiveWithDescriptors(ours, 8) as { bytes: Uint8Array };
      const view = new DataView(said.bytes.buffer, said.bytes.byteOffset);
      expect([view.getUint32(OpenerAnswer.ID, true), view.getInt32(OpenerAnswer.RESULT, true)]).to.deep.equal([notice, errno]);
      native.close(ours);
    }
    native.close(file);
  });

  it('says at once what is wrong with a source or a link that shall be everybody’s', async () => {
    const namespace = await Namespace.make();
    const opener = Opener.asItsRoot(namespace, ['--join-net', '6']);
    const say = async (question: Omit<Question, 'verb'>): Promise<number> =>
      (await opener.ask('supervisor', { ...question, verb: Verb.OUTBOUND })).result;
    expect(await say({ family: 4, source: '203.0.113.5' })).to.equal(EADDRNOTAVAIL);
    expect(await say({ family: 5 })).to.equal(EINVAL);
    expect(await say({ family: 6, source: '192.0.2.222' })).to.equal(EINVAL);
    expect(await say({ family: 4 })).to.equal(0);
    await opener.end();
    await namespace.end();
  });
});
