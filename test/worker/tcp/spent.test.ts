/** What the guest has acknowledged, between its ACK and its removal from the host socket. */
import { expect } from 'chai';
import { ACK, FIN, PSH, RST } from '../../support/guest_frame.ts';
import { Dialogue, type DialogueOptions, pattern } from '../../support/tcp_dialogue.ts';

const QUESTION = pattern(20);
const ANSWER = 100;
const MOST_TIMES = 8;

/** A dialogue that has gone on for so many questions and answers; the last answer is not acknowledged. */
function spoken(rounds: number, options: DialogueOptions = {}, answer = ANSWER): Dialogue {
  const dialogue = new Dialogue({ guestIss: -50, workerIss: -50, ...options });
  dialogue.establish();
  for (let round = 0; round < rounds; round++) {
    dialogue.sendData(QUESTION);
    dialogue.stream.write(pattern(answer, round * answer));
    const [segment] = dialogue.seen();
    expect(segment?.payload).to.deep.equal(pattern(answer, round * answer));
    dialogue.ack = (dialogue.ack + answer) | 0;
  }
  return dialogue;
}

describe('worker/tcp: what the guest has acknowledged', () => {
  it('stays while the dialogue goes on, and several answers leave together', () => {
    const { stream } = spoken(MOST_TIMES + 1);
    expect(stream.taken, 'eight answers were acknowledged').to.equal(0);
    expect(spoken(MOST_TIMES + 2).stream.taken, 'nine').to.equal((MOST_TIMES + 1) * ANSWER);
  });

  it('leaves at once where the guest says nothing with it', () => {
    const dialogue = spoken(5);
    dialogue.send(ACK);
    expect(dialogue.stream.taken).to.equal(5 * ANSWER);
    expect(dialogue.stream.incoming.length).to.equal(0);
  });

  it('is little', () => {
    expect(spoken(6, {}, 2000).stream.taken, 'five answers were acknowledged').to.equal(10_000);
  });

  it('leaves at once without SO_PEEK_OFF, where each peek would read over it', () => {
    expect(spoken(5, { peekOffset: false }).stream.taken, 'four answers were acknowledged').to.equal(4 * ANSWER);
  });

  it('is not sent again', () => {
    const dialogue = spoken(4);
    dialogue.sendData(QUESTION);
    dialogue.stream.write(pattern(ANSWER, 4 * ANSWER));
    dialogue.seen();
    dialogue.bench.advance(2000);
    const again = dialogue.seen();
    expect(again).to.not.deep.equal([]);
    for (const { seq, payload } of again)
      if (payload.length > 0) expect([seq, payload]).to.deep.equal([dialogue.ack, pattern(ANSWER, 4 * ANSWER)]);
    expect(dialogue.stream.taken).to.equal(0);
  });

  it('makes no reset of an orderly close', () => {
    for (const guestFirst of [true, false]) {
      const dialogue = spoken(4);
      if (guestFirst) dialogue.sendData(QUESTION, ACK | PSH | FIN);
      else dialogue.sendData(QUESTION);
      if (guestFirst) dialogue.seq = (dialogue.seq + 1) | 0;
      dialogue.stream.end();
      dialogue.seen();
      dialogue.ack = (dialogue.ack + 1) | 0;
      dialogue.send(guestFirst ? ACK : ACK | FIN);
      dialogue.stream.read(1 << 20);
      dialogue.seen();
      expect(dialogue.stream.farSawReset).to.equal(false);
      expect(dialogue.stream.farSawEnd).to.equal(true);
      expect(dialogue.bench.kernel.openFlows()).to.equal(0);
    }
  });

  it('makes no reset of a connection whose guest resets it when all is said', () => {
    const dialogue = spoken(4);
    dialogue.sendData(QUESTION, ACK | PSH | FIN);
    dialogue.seq = (dialogue.seq + 1) | 0;
    dialogue.stream.end();
    dialogue.seen();
    dialogue.send(RST);
    dialogue.stream.read(1 << 20);
    dialogue.seen();
    expect(dialogue.stream.farSawReset).to.equal(false);
    expect(dialogue.stream.farSawEnd).to.equal(true);
    expect(dialogue.bench.kernel.openFlows()).to.equal(0);
  });

  it('leaves although a mark of urgent data lies in it, where a read stops once', () => {
    const dialogue = spoken(1);
    dialogue.stream.urgentMark = ANSWER + 30;
    dialogue.stream.write(pattern(ANSWER, ANSWER));
    const bytes = dialogue.seen().reduce((sum, { payload }) => sum + payload.length, 0);
    expect(bytes).to.equal(ANSWER);
    dialogue.ack = (dialogue.ack + ANSWER) | 0;
    dialogue.send(ACK);
    expect(dialogue.stream.taken).to.equal(2 * ANSWER);
    expect(dialogue.row(), 'the connection goes on').to.be.at.least(0);
  });
});
