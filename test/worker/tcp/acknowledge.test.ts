/** When the guest is told what has arrived. */
import { expect } from 'chai';
import { ACK, FIN } from '../../support/guest_frame.ts';
import { Dialogue, pattern } from '../../support/tcp_dialogue.ts';

function established(): Dialogue {
  const dialogue = new Dialogue();
  dialogue.establish();
  return dialogue;
}

describe('worker/tcp: acknowledgement', () => {
  it('RFC 9293 §3.8.6.3: in a dialogue the answer carries it', () => {
    const dialogue = established();
    expect(dialogue.sendData(pattern(100))).to.deep.equal([]);
    dialogue.bench.advance(1);
    dialogue.stream.write(pattern(200));
    const answers = dialogue.seen();
    expect(answers).to.have.length(1);
    expect(answers[0]?.payload).to.have.length(200);
    expect(answers[0]?.ack).to.equal(dialogue.seq);
    dialogue.bench.advance(100);
    expect(dialogue.seen()).to.deep.equal([]);
  });

  it('RFC 9293 §3.8.6.3: without an answer it is sent alone, within 3 ms', () => {
    const dialogue = established();
    dialogue.sendData(pattern(100));
    dialogue.bench.advance(3);
    const answers = dialogue.seen();
    expect(answers).to.have.length(1);
    expect(answers[0]).to.deep.include({ flags: ACK, ack: dialogue.seq });
  });

  it('is not put off by an ACK of the guest that leaves something in flight', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(100));
    dialogue.seen();
    dialogue.stream.write(pattern(100, 100));
    dialogue.seen();
    dialogue.sendData(pattern(50));
    dialogue.acknowledge(dialogue.ack + 100);
    dialogue.bench.advance(3);
    expect(dialogue.seen().map(({ ack }) => ack)).to.include(dialogue.seq);
  });

  it('comes at once for what is no dialogue: one for a batch of frames', () => {
    const dialogue = established();
    const frames: Uint8Array[] = [];
    for (let at = 0; at < 20; at++) {
      frames.push(dialogue.frame(ACK, { payload: pattern(1460, at * 1460) }));
      dialogue.seq = (dialogue.seq + 1460) | 0;
    }
    dialogue.bench.deliver(...frames);
    const answers = dialogue.seen();
    expect(answers).to.have.length(1);
    expect(answers[0]).to.deep.include({ flags: ACK, ack: dialogue.seq });
  });

  it('of a FIN comes within 3 ms, or with the far end’s own', () => {
    const alone = established();
    alone.sendData(pattern(0), FIN | ACK);
    alone.bench.advance(3);
    expect(alone.seen()[0]).to.deep.include({ flags: ACK, ack: (alone.seq + 1) | 0 });
    const both = established();
    both.sendData(pattern(0), FIN | ACK);
    both.stream.end();
    const answers = both.seen();
    expect(answers).to.have.length(1);
    expect(answers[0]).to.deep.include({ flags: FIN | ACK, ack: (both.seq + 1) | 0 });
  });

  it('a refused ACK is made up for when the guest sends again', () => {
    const dialogue = established();
    dialogue.bench.kernel.tap.refuse = () => 11;
    dialogue.sendData(pattern(3000));
    dialogue.bench.advance(10);
    dialogue.bench.kernel.tap.refuse = () => 0;
    const answers = dialogue.send(ACK, { seq: (dialogue.seq - 3000) | 0, payload: pattern(3000) });
    expect(answers[0]).to.deep.include({ flags: ACK, ack: dialogue.seq });
    dialogue.stream.read(10_000);
    expect(dialogue.stream.farReceived.length).to.equal(3000);
  });
});
