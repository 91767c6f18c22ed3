/** Connections that the host's side opens, with a far end that has connected already. */
import { expect } from 'chai';
import { rows } from '../../../worker/flow/row.ts';
import { key, KEY_FAR, KEY_GUEST } from '../../../worker/flow/table.ts';
import { openToGuest } from '../../../worker/tcp/inbound.ts';
import { addressFromBytes } from '../../../shared/addresses.ts';
import { ACK, FIN, RST, type Segment, SYN } from '../../support/guest_frame.ts';
import { Dialogue, FAR_PORT, GUEST_PORT, pattern } from '../../support/tcp_dialogue.ts';
import { ENDS4 } from '../../support/workbench.ts';

/** A far end has connected: the worker is given its socket. */
function callGuest(dialogue: Dialogue): Segment {
  dialogue.stream.accept();
  const fd = dialogue.bench.kernel.install(dialogue.stream);
  const words = new DataView(Uint8Array.from([...addressFromBytes(ENDS4.guest), ...addressFromBytes(ENDS4.far)]).buffer);
  for (let i = 0; i < 8; i++) key[(i < 4 ? KEY_GUEST : KEY_FAR - 4) + i] = words.getInt32(4 * i);
  expect(openToGuest(fd, (GUEST_PORT << 16) | FAR_PORT)).to.equal(true);
  const [syn] = dialogue.seen();
  if (syn === undefined) throw new Error('no SYN came');
  return syn;
}

const ENOSPC = 28;

describe('worker/tcp: inbound', () => {
  it('RFC 9293 §3.5: SYN, SYN|ACK, ACK; the options of both are used, and what waited is sent', () => {
    const dialogue = new Dialogue();
    dialogue.stream.write(pattern(100));
    const syn = callGuest(dialogue);
    expect(syn).to.deep.include({ flags: SYN, ack: 0, sourcePort: FAR_PORT, destinationPort: GUEST_PORT, mss: 1460 });
    dialogue.ack = (syn.seq + 1) | 0;
    const answers = dialogue.send(SYN | ACK, { mss: 1460, windowScale: 3 });
    dialogue.seq = (dialogue.seq + 1) | 0;
    expect(answers.at(0)).to.deep.include({ flags: ACK | 8, seq: dialogue.ack, ack: dialogue.seq });
    expect(answers.at(0)?.payload).to.deep.equal(pattern(100));
    dialogue.acknowledge(dialogue.ack + 100);
    dialogue.sendData(pattern(50));
    dialogue.stream.read(100);
    expect(dialogue.stream.farReceived.peek(0, 100)).to.deep.equal(pattern(50));
  });

  it('RFC 9293 §3.10.7.3: a guest that refuses has the far end reset', () => {
    const dialogue = new Dialogue();
    const syn = callGuest(dialogue);
    expect(dialogue.send(RST | ACK, { seq: 0, ack: syn.seq }), 'a RST of something else is nothing').to.deep.equal([]);
    expect(dialogue.bench.flows()).to.equal(1);
    dialogue.send(RST | ACK, { seq: 0, ack: (syn.seq + 1) | 0 });
    expect(dialogue.stream.farSawReset).to.equal(true);
    dialogue.bench.expectNothingLeft();
  });

  it('a connection that can’t be watched is reset, and the guest not asked', () => {
    const dialogue = new Dialogue();
    dialogue.stream.accept();
    dialogue.bench.kernel.epollControl = () => -ENOSPC;
    expect(dialogue.bench.openToGuest(dialogue.ends, GUEST_PORT, FAR_PORT, dialogue.stream)).to.equal(false);
    expect(dialogue.seen()).to.deep.equal([]);
    expect(dialogue.stream.farSawReset).to.equal(true);
    dialogue.bench.expectNothingLeft();
  });

  it('a guest that is silent is asked again, with the same SYN, and then the far end is reset', () => {
    const dialogue = new Dialogue();
    const syn = callGuest(dialogue);
    const again: Segment[] = [];
    for (let second = 0; second < 20; second++) {
      dialogue.bench.advance(1000);
      again.push(...dialogue.seen());
    }
    expect(again).to.have.length(4);
    for (const one of again) expect(one).to.deep.include({ seq: syn.seq, flags: SYN, mss: syn.mss, windowScale: syn.windowScale });
    expect(dialogue.stream.farSawReset).to.equal(true);
    dialogue.bench.expectNothingLeft();
  });

  it('RFC 9293 §3.10.7.3: an ACK of something else gets RST and establishes nothing', () => {
    const dialogue = new Dialogue();
    const syn = callGuest(dialogue);
    const wrong = (syn.seq + 7) | 0;
    expect(dialogue.send(SYN | ACK, { ack: wrong, mss: 1460 })[0]).to.deep.include({ flags: RST, seq: wrong });
    expect(dialogue.bench.flows()).to.equal(1);
  });

  it('RFC 9293 §3.5, figure 8: both call each other', () => {
    const dialogue = new Dialogue();
    const syn = callGuest(dialogue);
    const answers = dialogue.send(SYN, { mss: 1000, windowScale: 2 });
    expect(answers[0]).to.deep.include({ flags: SYN | ACK, seq: syn.seq, ack: (dialogue.seq + 1) | 0 });
    dialogue.ack = (syn.seq + 1) | 0;
    dialogue.send(SYN | ACK, { mss: 1000, windowScale: 2 });
    dialogue.seq = (dialogue.seq + 1) | 0;
    dialogue.sendData(pattern(10));
    dialogue.stream.read(100);
    expect(dialogue.stream.farReceived.length).to.equal(10);
  });

  it('a far end that resets before the guest has answered: the guest is told', () => {
    const dialogue = new Dialogue();
    const syn = callGuest(dialogue);
    dialogue.stream.reset();
    expect(dialogue.seen()[0]).to.deep.include({ seq: (syn.seq + 1) | 0 });
    dialogue.bench.expectNothingLeft();
  });

  it('a far end that has spoken and closed before the guest answered is heard', () => {
    const dialogue = new Dialogue();
    dialogue.stream.write(pattern(30));
    const syn = callGuest(dialogue);
    dialogue.stream.end();
    dialogue.seen();
    dialogue.ack = (syn.seq + 1) | 0;
    const answers = dialogue.send(SYN | ACK, { mss: 1460 });
    expect(answers.at(-1)).to.deep.include({ flags: FIN | ACK, seq: (dialogue.ack + 30) | 0 });
    expect(rows.length).to.be.greaterThan(0);
  });
});
