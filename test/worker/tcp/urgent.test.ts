/** Urgent data of the far end, in line (SO_OOBINLINE): a read ends at its mark, and the next begins there. */
import { expect } from 'chai';
import { Dialogue, pattern } from '../../support/tcp_dialogue.ts';

describe('worker/tcp: urgent data of the far end', () => {
  it('may be acknowledged together with what lies before its mark', () => {
    const dialogue = new Dialogue();
    dialogue.establish();
    dialogue.stream.urgentMark = 30;
    dialogue.stream.write(pattern(100));
    expect(dialogue.seen().map(({ payload }) => payload.length)).to.deep.equal([30, 70]);
    dialogue.acknowledge(dialogue.ack + 100);
    expect(dialogue.stream.taken).to.equal(100);
    expect(dialogue.row(), 'the connection goes on').to.be.at.least(0);
  });
});
