/** RFC 9293 §3.8: retransmission, failures, windows and acknowledgements, while a connection is open. */
import { expect } from 'chai';
import { DEFAULT_TCP_TIMEOUTS } from '../../shared/limits.ts';
import { setTimeouts } from '../../worker/tcp/timeout.ts';
import { ACK, FIN, PSH, RST, type Segment, SYN, URG } from '../support/guest_frame.ts';
import { type Dialogue, pattern } from '../support/tcp_dialogue.ts';
import { arrivals, bytesOf, connecting, established, farText, fillWindow, hostFin, sendFin, sendPieces, synReceived } from './states.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

afterEach(() => setTimeouts(DEFAULT_TCP_TIMEOUTS));

/** The guest closes its window, and the host has something to say. */
function closedWindow(): Dialogue {
  const dialogue = established();
  dialogue.window = 0;
  dialogue.send(ACK);
  dialogue.stream.write(pattern(5000));
  expect(bytesOf(dialogue.seen())).to.have.length(0);
  return dialogue;
}

describe('RFC 9293 §3.8.1: retransmission', () => {
  it('RFC 9293 §3.8.1 MUST-18: a round trip is not measured by what was sent twice', () => {
    const dialogue = established();
    sendPieces(dialogue, 1);
    dialogue.bench.advance(300);
    expect(dialogue.seen()).to.have.length(1);
    dialogue.acknowledge(dialogue.ack + 1000);
    sendPieces(dialogue, 1, 1000, 1000);
    expect(arrivals(dialogue, 5000)[0]?.at, 'the timeout stays backed off').to.equal(400);
  });

  it('RFC 9293 §3.8.1, §3.8.2 MUST-19: twice as late each time', () => {
    const dialogue = established();
    sendPieces(dialogue, 20);
    const times = arrivals(dialogue, 13 * SECOND, 100);
    // The first is the probe of RFC 8985 §7.
    expect([...new Set(times.map(({ at }) => at))]).to.deep.equal([100, 200, 600, 1400, 3000, 6200, 12_600]);
  });

  it('RFC 9293 §3.8.1: data, SYN and FIN are sent again as they were', () => {
    const data = established();
    const [piece] = sendPieces(data, 1);
    for (const { segment } of arrivals(data, 10 * SECOND, 100))
      expect(segment).to.deep.include({ seq: piece?.seq, payload: piece?.payload });

    const { dialogue: opening, synAck } = synReceived();
    const again = arrivals(opening, 10 * SECOND, 100);
    expect(again.length).to.be.above(2);
    for (const { segment } of again) expect(segment).to.deep.equal(synAck);

    const closing = established();
    const fin = hostFin(closing);
    const fins = arrivals(closing, 10 * SECOND, 100);
    expect(fins.length).to.be.above(2);
    for (const { segment } of fins) expect(segment).to.deep.equal(fin);
  });
});

describe('RFC 9293 §3.8.3: failures', () => {
  it('RFC 9293 §3.8.3 MUST-20, SHLD-11: a guest that is gone is given up after R2, which is more than 100 s; the far end is told', () => {
    const dialogue = established();
    sendPieces(dialogue, 1);
    dialogue.bench.advance(100 * SECOND);
    expect(dialogue.bench.flows()).to.equal(1);
    dialogue.bench.advance(HOUR);
    expect(dialogue.stream.farSawReset).to.equal(true);
    expect(dialogue.seen().at(-1)?.flags).to.equal(RST | ACK);
    dialogue.bench.expectNothingLeft();
  });

  it('RFC 9293 §3.8.3 MUST-22, MUST-23: a SYN|ACK without an answer is given up, in 19 s or when the user says', () => {
    const { dialogue } = synReceived();
    dialogue.bench.advance(15 * SECOND);
    expect(dialogue.bench.flows()).to.equal(1);
    dialogue.bench.advance(3 * MINUTE);
    expect(dialogue.bench.flows()).to.equal(0);
    expect(dialogue.stream.farSawReset).to.equal(true);

    const { dialogue: patient } = synReceived();
    setTimeouts({ ...DEFAULT_TCP_TIMEOUTS, handshake: 4 * MINUTE });
    patient.bench.advance(3 * MINUTE);
    expect(patient.seen().length, 'sent again all the while').to.be.above(5);
    expect(patient.bench.flows()).to.equal(1);
  });

  it('RFC 9293 §3.8.3: progress starts the count anew', () => {
    const dialogue = established();
    for (let piece = 0; piece < 40; piece++) {
      dialogue.stream.write(pattern(100, piece * 100));
      dialogue.bench.advance(5 * SECOND);
      dialogue.seen();
      dialogue.acknowledge(dialogue.ack + 100);
    }
    expect(dialogue.bench.flows()).to.equal(1);
    expect(dialogue.stream.taken).to.equal(4000);
  });
});

describe('RFC 9293 §3.8.4: keep-alives', () => {
  it('RFC 9293 §3.8.4 MUST-25, MUST-28: nothing is sent on an idle connection unless the user wants it', () => {
    const dialogue = established();
    dialogue.bench.advance(119 * MINUTE);
    expect(dialogue.seen()).to.deep.equal([]);
  });

  it('RFC 9293 §3.8.4 MAY-5, MUST-24, MUST-26, MUST-27, SHLD-12: if wanted, a silent guest is asked, without data', () => {
    for (const minutes of [1, 10]) {
      const dialogue = established();
      setTimeouts({ ...DEFAULT_TCP_TIMEOUTS, keepAlive: minutes * MINUTE });
      dialogue.sendData(pattern(1));
      dialogue.bench.advance(20);
      dialogue.seen();
      const probes: number[] = [];
      for (let minute = 1; minute <= 100; minute++) {
        dialogue.bench.advance(MINUTE);
        for (const probe of dialogue.seen()) {
          expect(probe).to.deep.include({ flags: ACK, seq: (dialogue.ack - 1) | 0 });
          expect(probe.payload.length).to.equal(0);
          probes.push(minute);
          dialogue.send(ACK);
        }
      }
      expect(probes.length).to.be.within(100 / minutes / 2, 100 / minutes);
      setTimeouts(DEFAULT_TCP_TIMEOUTS);
    }
  });

  it('RFC 9293 §3.8.4 MUST-26: nobody is asked while he speaks, or while something is in flight', () => {
    const dialogue = established();
    setTimeouts({ ...DEFAULT_TCP_TIMEOUTS, keepAlive: MINUTE });
    for (let second = 0; second < 300; second += 5) {
      dialogue.bench.advance(5 * SECOND);
      expect(dialogue.seen().filter(({ seq }) => seq === ((dialogue.ack - 1) | 0))).to.deep.equal([]);
      dialogue.sendData(pattern(1));
    }
  });

  it('RFC 9293 §3.8.4 MUST-29: some that are not answered end nothing', () => {
    const dialogue = established();
    setTimeouts({ ...DEFAULT_TCP_TIMEOUTS, keepAlive: MINUTE });
    for (let minute = 0; minute < 8; minute++) dialogue.bench.advance(MINUTE);
    expect(dialogue.seen().length).to.be.above(1);
    expect(dialogue.bench.flows()).to.equal(1);
  });

  it('RFC 9293 §3.8.4: the guest’s are answered, with a byte or without, and wake nobody else', () => {
    const dialogue = established();
    dialogue.sendData(pattern(10));
    dialogue.bench.advance(HOUR);
    dialogue.seen();
    for (const payload of [pattern(0), pattern(1, 9)]) {
      const answers = dialogue.send(ACK, { seq: (dialogue.seq - 1) | 0, payload });
      expect(answers).to.have.length(1);
      expect(answers[0]).to.deep.include({ flags: ACK, seq: dialogue.ack, ack: dialogue.seq });
    }
    expect(farText(dialogue)).to.deep.equal(pattern(10));
  });
});

describe('RFC 9293 §3.8.6: windows of the guest', () => {
  it('RFC 9293 §3.8.6.1 MUST-35, MUST-36, SHLD-29, SHLD-30: a closed one is probed after one RTO, then ever more rarely', () => {
    const dialogue = closedWindow();
    const probes = arrivals(dialogue, 8 * MINUTE, 100);
    expect(probes[0]?.at).to.be.within(200, SECOND);
    const gaps = probes.slice(1).map(({ at }, index) => at - (probes[index]?.at ?? 0));
    for (const [index, gap] of gaps.entries()) if (index > 0) expect(gap).to.be.at.least(gaps[index - 1] ?? 0);
    expect(gaps.at(-1)).to.be.above(MINUTE / 2);
    for (const { segment } of probes) expect(segment.flags & (SYN | FIN | RST)).to.equal(0);
  });

  it('RFC 9293 §3.8.6.1 MUST-37: it may stay closed for days, as long as probes are answered', () => {
    const dialogue = closedWindow();
    for (let minutes = 0; minutes < 2 * 24 * 60; minutes++) {
      dialogue.bench.advance(MINUTE);
      if (dialogue.seen().length > 0) dialogue.send(ACK);
    }
    expect(dialogue.bench.flows()).to.equal(1);
    dialogue.window = 10_000;
    expect(bytesOf(dialogue.send(ACK))).to.deep.equal(pattern(5000));
  });

  it('RFC 9293 §3.8.6.1: an update that was lost is found by the next probe', () => {
    const dialogue = closedWindow();
    dialogue.window = 10_000;
    const probe = arrivals(dialogue, 2 * SECOND)[0];
    expect(probe).to.not.equal(undefined);
    expect(bytesOf(dialogue.send(ACK))).to.deep.equal(pattern(5000));
  });

  it('RFC 9293 §3.8.6 MUST-34, SHLD-15, MAY-7: one that shrinks stops new data, and what is right of it', () => {
    const dialogue = established({ window: 5000, mss: 1000 });
    dialogue.stream.write(pattern(10_000));
    expect(bytesOf(dialogue.seen())).to.have.length(5000);
    dialogue.window = 1000;
    expect(bytesOf(dialogue.acknowledge(dialogue.ack + 1000))).to.have.length(0);
    const edge = (dialogue.ack + 1000) | 0;
    for (const { segment } of arrivals(dialogue, 20 * SECOND, 100))
      expect((segment.seq + segment.payload.length - edge) | 0, 'beyond the window').to.be.at.most(0);
  });

  it('RFC 9293 §3.8.6 SHLD-16, SHLD-17: what is left of the edge is sent again; what is right of it ends nothing', () => {
    const dialogue = established({ window: 5000, mss: 1000 });
    dialogue.stream.write(pattern(10_000));
    dialogue.seen();
    dialogue.window = 1000;
    dialogue.acknowledge(dialogue.ack + 1000);
    const again = arrivals(dialogue, 5 * SECOND, 100);
    expect(bytesOf(again.slice(0, 1).map(({ segment }) => segment))).to.deep.equal(pattern(1000, 1000));
    dialogue.window = 0;
    dialogue.acknowledge(dialogue.ack + 1000);
    for (let minutes = 0; minutes < 60; minutes++) {
      dialogue.bench.advance(MINUTE);
      if (dialogue.seen().length > 0) dialogue.send(ACK);
    }
    expect(dialogue.bench.flows()).to.equal(1);
    dialogue.window = 20_000;
    const start = dialogue.ack;
    const bytes = new Uint8Array(8000);
    for (let answers = [...dialogue.send(ACK), ...arrivals(dialogue, MINUTE, 100).map(({ segment }) => segment)]; answers.length > 0; ) {
      for (const { seq, payload } of answers) {
        bytes.set(payload, (seq - start) | 0);
        if (seq === dialogue.ack) dialogue.ack = (seq + payload.length) | 0;
      }
      answers = dialogue.send(ACK);
    }
    expect(bytes).to.deep.equal(pattern(8000, 2000));
  });

  it('RFC 9293 §3.8.6.2.1 MUST-38: no sliver of it is used while something is in flight', () => {
    const dialogue = established({ window: 1999, mss: 1000 });
    dialogue.stream.write(pattern(1000));
    dialogue.seen();
    dialogue.stream.write(pattern(1000, 1000));
    expect(dialogue.seen()).to.deep.equal([]);
    expect(bytesOf(dialogue.acknowledge(dialogue.ack + 1000))).to.deep.equal(pattern(1000, 1000));
  });

  it('RFC 9293 §3.8.6.2.1: a guest whose window never holds a segment is served all the same', () => {
    const dialogue = established({ window: 300, mss: 1000 });
    dialogue.stream.write(pattern(2000));
    const sent = dialogue.seen();
    for (let round = 0; round < 20; round++) {
      const last = sent.at(-1);
      sent.push(...dialogue.acknowledge(((last?.seq ?? 0) + (last?.payload.length ?? 0)) | 0));
    }
    expect(bytesOf(sent)).to.deep.equal(pattern(2000));
  });
});

describe('RFC 9293 §3.8.6.2.2: the window announced', () => {
  it('RFC 9293 §3.8.6.2.2 MUST-39, MAY-8: stays closed while the far end reads nothing, and opens by a fair amount', () => {
    const dialogue = established();
    dialogue.stream.sendBuffer = 300_000;
    fillWindow(dialogue);
    dialogue.bench.advance(HOUR);
    const probe = (): Segment => dialogue.send(ACK, { seq: (dialogue.seq - 1) | 0 })[0] as Segment;
    dialogue.seen();
    expect(probe().window).to.equal(0);
    for (let read = 0; read < 40; read++) {
      dialogue.stream.read(500);
      for (const { window } of [...dialogue.seen(), probe()]) if (window !== 0) expect(window << 8).to.be.at.least(1460);
    }
    farText(dialogue);
    expect(probe().window << 8).to.be.at.least(100_000);
  });

  it('RFC 9293 §3.8.6 SHLD-14: its right edge never moves left, but for what the scale can’t express', () => {
    const dialogue = established();
    dialogue.stream.sendBuffer = 30_000;
    let edge = (dialogue.seq + 1) | 0;
    for (let at = 0; at < 300; at++) {
      for (const { ack, window } of dialogue.sendData(pattern(1 + (at % 97), at))) {
        const now = (ack + (window << 8)) | 0;
        expect((edge - now) | 0).to.be.below(256);
        if (((now - edge) | 0) > 0) edge = now;
      }
      if (at % 50 === 49) dialogue.stream.read(1000);
    }
  });

  it('RFC 9293 §3.10.7.4 MUST-66: RST, ACK and urgent data are looked at though it is closed', () => {
    const closed = (): Dialogue => {
      const dialogue = established();
      dialogue.stream.sendBuffer = 300_000;
      fillWindow(dialogue);
      return dialogue;
    };
    const acked = closed();
    acked.stream.write(pattern(100));
    acked.seen();
    acked.acknowledge(acked.ack + 100);
    expect(acked.stream.taken).to.equal(100);
    const urgent = closed();
    expect(urgent.send(ACK | URG, { urgent: 1, payload: pattern(1) })[0]).to.deep.include({ flags: ACK, ack: urgent.seq, window: 0 });
    const reset = closed();
    reset.send(RST);
    expect(reset.stream.farSawReset).to.equal(true);
  });
});

describe('RFC 9293 §3.8.6.3: acknowledgements', () => {
  it('RFC 9293 §3.8.6.3 MUST-40, SHLD-18: in a dialogue an ACK waits for the reply, for far less than half a second', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(10));
    dialogue.seen();
    dialogue.ack = (dialogue.ack + 10) | 0;
    expect(dialogue.sendData(pattern(100))).to.deep.equal([]);
    const [ack] = arrivals(dialogue, 500);
    expect(ack?.segment).to.deep.include({ flags: ACK, ack: dialogue.seq });
    expect(ack?.at).to.be.below(500);

    dialogue.stream.write(pattern(10));
    dialogue.seen();
    dialogue.ack = (dialogue.ack + 10) | 0;
    dialogue.sendData(pattern(100));
    dialogue.stream.write(pattern(20));
    const [reply] = dialogue.seen();
    expect(reply?.ack, 'the reply carries it').to.equal(dialogue.seq);
    expect(arrivals(dialogue, 500).filter(({ at }) => at < 200)).to.deep.equal([]);
  });

  it('RFC 9293 §3.8.6.3 MUST-58: one ACK for all segments that come together', () => {
    const dialogue = established();
    const frames: Uint8Array[] = [];
    for (let at = 0; at < 20; at++) {
      frames.push(dialogue.frame(ACK, { payload: pattern(1000, at * 1000) }));
      dialogue.seq = (dialogue.seq + 1000) | 0;
    }
    dialogue.bench.deliver(...frames);
    expect(dialogue.seen().map(({ ack }) => ack)).to.deep.equal([dialogue.seq]);
  });

  it('RFC 9293 §3.8.6.3 SHLD-19: a stream of full segments has every second one acknowledged, at least', () => {
    const dialogue = established();
    let acks = 0;
    for (let at = 0; at < 50; at++) acks += dialogue.sendData(pattern(1460, at * 1460)).length;
    expect(acks).to.be.at.least(25);
  });

  it('RFC 9293 §3.10.7.4 MUST-59: what comes behind a gap and then fills it is acknowledged as a whole', () => {
    const dialogue = established();
    const first = dialogue.frame(ACK, { payload: pattern(1000) });
    const second = dialogue.frame(ACK, { payload: pattern(1000, 1000), seq: (dialogue.seq + 1000) | 0 });
    dialogue.bench.deliver(first, second);
    expect(dialogue.seen().map(({ ack }) => ack)).to.deep.equal([(dialogue.seq + 2000) | 0]);
  });

  it('RFC 9293 §3.10.7.4 MAY-13: a segment behind a gap is answered at once, by what is missing', () => {
    const dialogue = established();
    expect(dialogue.send(ACK, { seq: (dialogue.seq + 1000) | 0, payload: pattern(100) })[0]).to.deep.include({
      flags: ACK,
      ack: dialogue.seq,
    });
  });
});

describe('RFC 9293 §3.9.1: what SEND means here', () => {
  it('RFC 9293 §3.9.1.2 MUST-60, MUST-61: what the host writes goes out at once, with PSH at its end', () => {
    const dialogue = established({ mss: 1000 });
    for (const length of [1, 999, 1000, 1001, 30_000]) {
      dialogue.stream.write(pattern(length));
      const sent = dialogue.seen();
      expect(bytesOf(sent)).to.deep.equal(pattern(length));
      expect((sent.at(-1)?.flags ?? 0) & PSH).to.equal(PSH);
      dialogue.acknowledge(dialogue.ack + length);
    }
  });

  it('RFC 9293 §3.9.1.2 SHLD-27: several writes that are read together are one segment with one PSH', () => {
    const dialogue = established();
    for (let at = 0; at < 10; at++) dialogue.stream.write(pattern(10, at * 10));
    expect(dialogue.seen().map(({ flags, payload }) => [flags, payload.length])).to.deep.equal([[ACK | PSH, 100]]);
  });

  it('RFC 9293 §3.7.4 MUST-17, SHLD-7: a small segment does not wait for those in flight', () => {
    const dialogue = established();
    for (let at = 0; at < 10; at++) {
      dialogue.stream.write(pattern(1, at));
      expect(bytesOf(dialogue.seen())).to.deep.equal(pattern(1, at));
    }
  });

  it('RFC 9293 §3.10.4: after the guest’s FIN the host may send, and after the host’s the guest', () => {
    const dialogue = established();
    sendFin(dialogue);
    dialogue.bench.advance(5);
    dialogue.seen();
    for (let at = 0; at < 5; at++) {
      dialogue.stream.write(pattern(1000, at * 1000));
      expect(bytesOf(dialogue.seen())).to.deep.equal(pattern(1000, at * 1000));
      dialogue.acknowledge(dialogue.ack + 1000);
    }
    expect(connecting().bench.flows()).to.equal(1);
  });
});
