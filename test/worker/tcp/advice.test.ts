/** ICMP errors from the guest's side about the worker's segments. */
import { expect } from 'chai';
import { ACK, RST, type Segment } from '../../support/guest_frame.ts';
import { buildError } from '../../support/guest_frame.ts';
import { Dialogue, type DialogueOptions, FAR_PORT, GUEST_PORT, pattern } from '../../support/tcp_dialogue.ts';
import { ENDS6 } from '../../support/workbench.ts';

function sending(options: DialogueOptions = {}): { dialogue: Dialogue; sent: Segment[] } {
  const dialogue = new Dialogue({ mss: 1400, ...options });
  dialogue.establish();
  dialogue.stream.write(pattern(4000));
  return { dialogue, sent: dialogue.seen() };
}

/** A router behind the guest returns the segment that begins at `seq`. */
function complain(dialogue: Dialogue, type: number, code: number, word: number, seq: number, port = GUEST_PORT): Segment[] {
  dialogue.bench.deliver(buildError(dialogue.ends, type, code, word, 6, [FAR_PORT, port, seq]));
  return dialogue.seen();
}

describe('worker/tcp: ICMP errors from the guest', () => {
  it('RFC 1191 §6: segments get as small as the way needs them, and what was lost is sent again', () => {
    const { dialogue } = sending();
    const again = complain(dialogue, 3, 4, 1000, dialogue.ack);
    expect(again.map(({ seq, gsoSize }) => [seq, gsoSize])).to.deep.equal([[dialogue.ack, 960]]);
    expect(again[0]?.payload).to.deep.equal(pattern(4000));
  });

  it('RFC 8201 §4: likewise over IPv6, and never below 1280', () => {
    const { dialogue } = sending({ ends: ENDS6 });
    expect(complain(dialogue, 2, 0, 1300, dialogue.ack)[0]?.gsoSize).to.equal(1240);
    expect(complain(dialogue, 2, 0, 300, dialogue.ack)[0]?.gsoSize).to.equal(1220);
    expect(complain(dialogue, 2, 0, 300, dialogue.ack), 'no smaller, so nothing is new').to.deep.equal([]);
  });

  it('RFC 1191 §7: a router that tells no MTU has the next plateau tried; nothing below 552 is believed', () => {
    const { dialogue } = sending();
    expect(complain(dialogue, 3, 4, 0, dialogue.ack)[0]?.gsoSize).to.equal(1006 - 40);
    expect(complain(dialogue, 3, 4, 68, dialogue.ack)[0]?.gsoSize).to.equal(552 - 40);
  });

  it('RFC 5927 §4.1: an error about what is not on its way is nothing', () => {
    const { dialogue } = sending();
    expect(complain(dialogue, 3, 4, 1000, (dialogue.ack - 1) | 0)).to.deep.equal([]);
    expect(complain(dialogue, 3, 4, 1000, (dialogue.ack + 4000) | 0)).to.deep.equal([]);
    expect(complain(dialogue, 3, 4, 1000, dialogue.ack, 1)).to.deep.equal([]);
    expect(dialogue.bench.counter('icmp_errors_from_guest')).to.equal(0);
  });

  it('RFC 1122 §4.2.3.9: unreachable ends no established connection', () => {
    const { dialogue } = sending();
    for (let code = 0; code < 16; code++) if (code !== 4) complain(dialogue, 3, code, 0, dialogue.ack);
    expect(dialogue.bench.flows()).to.equal(1);
    expect(dialogue.send(RST | ACK)).to.deep.equal([]);
    dialogue.bench.expectNothingLeft();
  });
});
