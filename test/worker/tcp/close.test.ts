/** The end of a connection, each way alone and both at once. */
import { expect } from 'chai';
import { rows } from '../../../worker/flow/row.ts';
import { RCV_EDGE } from '../../../worker/tcp/row.ts';
import { EAGAIN } from '../../support/fake_file.ts';
import { ACK, FIN, PSH, RST, type Segment, SYN } from '../../support/guest_frame.ts';
import { Dialogue, type DialogueOptions, pattern } from '../../support/tcp_dialogue.ts';

function established(options: DialogueOptions = {}): Dialogue {
  const dialogue = new Dialogue({ guestIss: -2, workerIss: 0x7ffffff0, ...options });
  dialogue.establish();
  return dialogue;
}

function farText(dialogue: Dialogue): Uint8Array {
  do {
    dialogue.stream.read(1 << 20);
    dialogue.bench.settle();
  } while (dialogue.stream.outgoing.length > 0);
  dialogue.stream.read(0);
  return dialogue.stream.farReceived.peek(0, 1 << 20);
}

/** The guest's FIN, behind `payload`. */
function sendFin(dialogue: Dialogue, payload: Uint8Array = new Uint8Array(0)): Segment[] {
  const answers = dialogue.sendData(payload, ACK | FIN);
  dialogue.seq = (dialogue.seq + 1) | 0;
  return answers;
}

/** Nothing but the row is left, and that goes after a minute. */
function expectTimeWait(dialogue: Dialogue): void {
  expect(dialogue.bench.kernel.openFlows(), 'the socket was given back').to.equal(0);
  expect(dialogue.bench.flows(), 'TIME-WAIT').to.equal(1);
  dialogue.bench.advance(60_001);
  dialogue.bench.expectNothingLeft();
}

describe('worker/tcp: close', () => {
  it('RFC 9293 §3.6: the guest closes first; the far end may go on sending', () => {
    const dialogue = established();
    sendFin(dialogue, pattern(10));
    dialogue.bench.advance(10);
    expect(
      dialogue.seen().map(({ ack }) => ack),
      'the FIN is acknowledged',
    ).to.include(dialogue.seq);
    expect(farText(dialogue)).to.deep.equal(pattern(10));
    expect(dialogue.stream.farSawEnd).to.equal(true);
    dialogue.stream.write(pattern(3000));
    const sent = dialogue.seen();
    expect(sent.reduce((sum, { payload }) => sum + payload.length, 0)).to.equal(3000);
    dialogue.acknowledge(dialogue.ack + 3000);
    dialogue.stream.end();
    const [fin] = dialogue.seen();
    expect(fin).to.deep.include({ flags: FIN | ACK, seq: dialogue.ack, ack: dialogue.seq });
    expect(dialogue.bench.flows()).to.equal(1);
    expect(dialogue.acknowledge(dialogue.ack + 1)).to.deep.equal([]);
    expect(dialogue.stream.farSawReset).to.equal(false);
    dialogue.bench.expectNothingLeft();
  });

  it('RFC 9293 §3.6: the far end closes first; the guest may go on sending', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(50));
    dialogue.stream.end();
    const sent = dialogue.seen();
    expect(sent.at(-1)?.flags).to.equal(FIN | ACK);
    expect(sent.at(-1)?.seq).to.equal((dialogue.ack + 50) | 0);
    dialogue.acknowledge(dialogue.ack + 51);
    dialogue.sendData(pattern(700));
    expect(farText(dialogue)).to.deep.equal(pattern(700));
    const last = sendFin(dialogue);
    expect(last.at(-1)).to.deep.include({ flags: ACK, ack: dialogue.seq, seq: dialogue.ack });
    dialogue.stream.read(0);
    expect(dialogue.stream.farSawEnd).to.equal(true);
    expectTimeWait(dialogue);
  });

  it('RFC 9293 §3.6: both close at once', () => {
    const dialogue = established();
    dialogue.stream.end();
    dialogue.bench.settle();
    dialogue.bench.packets(dialogue.ends);
    const answers = sendFin(dialogue);
    dialogue.bench.advance(5);
    expect([...answers, ...dialogue.seen()].map(({ ack }) => ack)).to.include(dialogue.seq);
    expect(dialogue.bench.flows(), 'our FIN is not acknowledged').to.equal(1);
    dialogue.acknowledge(dialogue.ack + 1);
    expectTimeWait(dialogue);
  });

  it('RFC 9293 §3.8.1: a FIN that is lost is sent again, and the same', () => {
    const dialogue = established();
    dialogue.stream.end();
    const [fin] = dialogue.seen();
    dialogue.bench.advance(5000);
    const again = dialogue.seen();
    expect(again.length).to.be.greaterThan(1);
    for (const segment of again) expect(segment).to.deep.equal(fin);
    dialogue.acknowledge(dialogue.ack + 1);
    dialogue.bench.advance(5000);
    expect(dialogue.seen()).to.deep.equal([]);
  });

  it('a FIN that the tap refuses is sent again', () => {
    const dialogue = established();
    let refusals = 2;
    dialogue.bench.kernel.tap.refuse = () => (refusals-- > 0 ? EAGAIN : 0);
    dialogue.stream.write(pattern(20));
    dialogue.stream.end();
    dialogue.bench.advance(3000);
    const data = dialogue.seen();
    expect(data.some(({ payload, seq }) => payload.length === 20 && seq === dialogue.ack)).to.equal(true);
    const rest = dialogue.acknowledge(dialogue.ack + 20);
    dialogue.bench.advance(3000);
    const sent = [...data, ...rest, ...dialogue.seen()];
    expect(sent.some(({ flags, seq, payload }) => (flags & FIN) !== 0 && ((seq + payload.length) | 0) === dialogue.ack)).to.equal(true);
  });

  it('without SO_PEEK_OFF: the end of the stream is told once what is before it is acknowledged', () => {
    const dialogue = established({ peekOffset: false });
    dialogue.stream.write(pattern(50));
    dialogue.stream.end();
    const [data] = dialogue.seen();
    expect(data).to.deep.include({ flags: ACK | PSH, seq: dialogue.ack });
    const [fin] = dialogue.acknowledge(dialogue.ack + 50);
    expect(fin).to.deep.include({ flags: FIN | ACK, seq: dialogue.ack });
  });

  it('a repeated FIN of the guest is acknowledged again', () => {
    const dialogue = established();
    sendFin(dialogue);
    dialogue.bench.advance(5);
    dialogue.seen();
    const again = dialogue.send(FIN | ACK, { seq: (dialogue.seq - 1) | 0 });
    expect(again.at(-1)).to.deep.include({ flags: ACK, ack: dialogue.seq });
    expect(dialogue.send(ACK, { payload: pattern(5), seq: dialogue.seq }).at(-1), 'data behind the FIN').to.deep.include({
      ack: dialogue.seq,
    });
    expect(farText(dialogue)).to.have.length(0);
  });

  it('a FIN behind a gap waits for what is missing', () => {
    const dialogue = established();
    const fin = dialogue.frame(FIN | ACK, { seq: (dialogue.seq + 10) | 0 });
    dialogue.bench.deliver(fin);
    expect(dialogue.seen().at(-1)).to.deep.include({ ack: dialogue.seq });
    dialogue.stream.read(0);
    expect(dialogue.stream.farSawEnd).to.equal(false);
    expect(dialogue.sendData(pattern(10)).at(-1)).to.deep.include({ ack: (dialogue.seq + 1) | 0 });
    expect(farText(dialogue)).to.deep.equal(pattern(10));
    expect(dialogue.stream.farSawEnd).to.equal(true);
  });

  it('RFC 9293 §3.10.7.4: a FIN beyond the window, or behind bytes that were not taken, is not acknowledged', () => {
    const beyond = established({ windowScale: -1 });
    const most = 65_000;
    beyond.bench.deliver(beyond.frame(ACK, { payload: pattern(most), gsoSize: 1400 }));
    beyond.seq = (beyond.seq + most) | 0;
    beyond.bench.kernel.tap.toGuest.length = 0;
    const edge = rows[beyond.row() + RCV_EDGE] as number;
    const room = (edge - beyond.seq) | 0;
    beyond.bench.deliver(beyond.frame(ACK | FIN, { payload: pattern(room + 1, most), gsoSize: 1400 }));
    beyond.bench.advance(5);
    expect(beyond.seen().at(-1)?.ack).to.equal(edge);
    expect(farText(beyond)).to.have.length(most + room);
    expect(beyond.stream.farSawEnd).to.equal(false);

    const full = established({ flows: 1100 });
    full.stream.sendLimits.push(5, 0);
    full.bench.exhaustReceiveBuffers();
    sendFin(full, pattern(10));
    full.bench.returnReceiveBuffers();
    expect(farText(full)).to.deep.equal(pattern(5));
    expect(full.stream.farSawEnd).to.equal(false);
  });

  it('a FIN behind bytes that wait for the socket is passed on after them, and ends a connection that is through otherwise', () => {
    const dialogue = established();
    dialogue.stream.end();
    dialogue.seen();
    dialogue.acknowledge(dialogue.ack + 1);
    dialogue.stream.sendLimits.push(3);
    sendFin(dialogue, pattern(10));
    expect(dialogue.stream.outgoing.length).to.equal(3);
    expect(farText(dialogue)).to.deep.equal(pattern(10));
    expect(dialogue.stream.farSawEnd).to.equal(true);
    expect(dialogue.stream.farSawReset).to.equal(false);
    expectTimeWait(dialogue);
  });

  it('RFC 9293 §3.10.7.4: a reset of a guest that has forgotten a closed connection takes nothing from the far end', () => {
    const dialogue = established();
    dialogue.stream.end();
    dialogue.seen();
    dialogue.acknowledge(dialogue.ack + 1);
    dialogue.stream.sendLimits.push(3);
    sendFin(dialogue, pattern(10));
    dialogue.send(RST, { seq: dialogue.seq });
    expect(farText(dialogue)).to.deep.equal(pattern(10));
    expect(dialogue.stream.farSawEnd).to.equal(true);
    expect(dialogue.stream.farSawReset).to.equal(false);
    expectTimeWait(dialogue);
  });

  it('RFC 9293 §3.10.7.4: in LAST-ACK a reset only ends the waiting, the far end still gets everything and the end', () => {
    const dialogue = established();
    sendFin(dialogue, pattern(10));
    dialogue.stream.end();
    expect(dialogue.seen().at(-1)?.flags).to.equal(ACK | FIN);
    dialogue.send(RST, { seq: dialogue.seq });
    expect(dialogue.bench.flows()).to.equal(0);
    expect(farText(dialogue)).to.deep.equal(pattern(10));
    expect(dialogue.stream.farSawEnd).to.equal(true);
    expect(dialogue.stream.farSawReset).to.equal(false);
    dialogue.bench.expectNothingLeft();
  });

  it('RFC 9293 §3.10.7.4: the last ACK was lost: the FIN of the guest comes again, and is acknowledged again', () => {
    const dialogue = established();
    dialogue.stream.end();
    dialogue.seen();
    dialogue.acknowledge(dialogue.ack + 1);
    sendFin(dialogue);
    expect(dialogue.send(FIN | ACK, { seq: (dialogue.seq - 1) | 0 })[0]).to.deep.include({
      flags: ACK,
      seq: dialogue.ack,
      ack: dialogue.seq,
    });
    expectTimeWait(dialogue);
  });

  it('RFC 9293 §3.6.1: TIME-WAIT gives way to a SYN with a higher number, and not to an old one', () => {
    const dialogue = established();
    dialogue.stream.end();
    dialogue.seen();
    dialogue.acknowledge(dialogue.ack + 1);
    sendFin(dialogue);
    expect(dialogue.send(SYN, { seq: (dialogue.seq - 5) | 0, mss: 1460 })[0]).to.deep.include({ flags: ACK, ack: dialogue.seq });
    expect(dialogue.bench.kernel.opener.requests).to.have.length(0);
    expect(dialogue.send(SYN, { seq: (dialogue.seq + 5) | 0, mss: 1460 })).to.deep.equal([]);
    expect(dialogue.bench.kernel.opener.requests).to.have.length(1);
  });

  it('RFC 1337: a reset does not end TIME-WAIT', () => {
    const dialogue = established();
    dialogue.stream.end();
    dialogue.seen();
    dialogue.acknowledge(dialogue.ack + 1);
    sendFin(dialogue);
    dialogue.send(RST);
    expectTimeWait(dialogue);
  });

  it('TIME-WAIT gives way to a new flow when the table is full', () => {
    const dialogue = new Dialogue({ flows: 1 });
    dialogue.establish();
    dialogue.stream.end();
    dialogue.seen();
    dialogue.acknowledge(dialogue.ack + 1);
    sendFin(dialogue);
    dialogue.bench.deliver(dialogue.frame(SYN, { sourcePort: 41_000 }));
    expect(dialogue.bench.counter('tcp_flows_refused')).to.equal(0);
    expect(dialogue.bench.kernel.opener.requests).to.have.length(1);
  });

  it('a host that speaks and closes before the handshake is done is heard', () => {
    const dialogue = new Dialogue();
    dialogue.sendSyn();
    dialogue.bench.kernel.opener.answer(0, dialogue.stream);
    dialogue.bench.settle();
    dialogue.stream.accept();
    dialogue.stream.write(pattern(100));
    dialogue.stream.end();
    const [synAck] = dialogue.seen();
    dialogue.ack = ((synAck?.seq ?? 0) + 1) | 0;
    const sent = dialogue.send(ACK);
    expect(sent[0]?.payload).to.deep.equal(pattern(100));
    expect(sent.at(-1)).to.deep.include({ flags: FIN | ACK, seq: (dialogue.ack + 100) | 0 });
  });
});
