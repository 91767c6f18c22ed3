/** RFC 9293 §3.4 to §3.6, §3.9.2.3 and §3.10.7.1 to §3.10.7.3: how a connection begins and ends. */
import { expect } from 'chai';
import { Verb } from '../../shared/opener.ts';
import { ECONNREFUSED, ECONNRESET, EPIPE } from '../support/fake_file.ts';
import { ACK, buildSegment, type Ends, FIN, PSH, RST, SYN, URG } from '../support/guest_frame.ts';
import { Dialogue, FAR_PORT, GUEST_PORT, pattern } from '../support/tcp_dialogue.ts';
import { ENDS4, ENDS6, Workbench } from '../support/workbench.ts';
import { bytesOf, connecting, established, farText, hostFin, sendFin, synReceived } from './states.ts';

function synTo(ends: Ends): Uint8Array {
  const payload = new Uint8Array(0);
  return buildSegment(ends, {
    sourcePort: GUEST_PORT,
    destinationPort: FAR_PORT,
    seq: 1,
    ack: 0,
    flags: SYN,
    window: 1000,
    mss: 1460,
    payload,
    gsoSize: 0,
  });
}

describe('RFC 9293 §3.4: initial sequence numbers', () => {
  const issAt = (clock: number, more: object = {}): number => synReceived({ clock, ...more }).synAck.seq;

  it('RFC 9293 §3.4.1 MUST-8: they follow a clock of 4 µs, across 2³²', () => {
    const hour = 3_600_000_000;
    const start = 90 * hour;
    for (const later of [4, 1000, 1_000_000, hour, 2 ** 32 * 4 - 4])
      expect((issAt(start + later) - issAt(start)) >>> 0, `${later} µs later`).to.equal(Math.floor(later / 4) >>> 0);
  });

  it('RFC 9293 §3.4.1 SHLD-1, MUST-9: they differ by connection, and with the secret', () => {
    const clock = 1_000_000_000;
    const seen = new Set<number>();
    for (let key = 1; key <= 50; key++) seen.add(issAt(clock, { hashKey: [key, 0] }));
    seen.add(issAt(clock, { ends: ENDS6 }));
    const other = { ...ENDS4, far: Uint8Array.from([198, 51, 100, 8]) };
    seen.add(issAt(clock, { ends: other }));
    expect(seen.size).to.equal(52);
    // Numbers that a secret makes have nothing to do with each other: their distances are not small.
    const sorted = [...seen].sort((a, b) => a - b);
    const gaps = sorted.slice(1).map((value, index) => value - (sorted[index] as number));
    expect(Math.max(...gaps)).to.be.above(2 ** 24);
  });
});

describe('RFC 9293 §3.5: opening', () => {
  it('RFC 9293 §3.5: three segments, with numbers that follow from the SYNs', () => {
    const dialogue = new Dialogue({ guestIss: 0x7fffffff });
    expect(dialogue.sendSyn(), 'nothing before the far end has answered').to.deep.equal([]);
    expect(dialogue.bench.kernel.opener.requests[0]).to.include({ verb: Verb.TCP_CONNECT, destinationPort: FAR_PORT });
    dialogue.bench.kernel.opener.answer(0, dialogue.stream);
    expect(dialogue.seen()).to.deep.equal([]);
    dialogue.stream.accept();
    const [synAck, ...more] = dialogue.seen();
    expect(more).to.deep.equal([]);
    expect(synAck).to.deep.include({ flags: SYN | ACK, ack: -0x80000000 });
    dialogue.ack = ((synAck?.seq ?? 0) + 1) | 0;
    expect(dialogue.send(ACK)).to.deep.equal([]);
    dialogue.stream.write(pattern(1));
    expect(dialogue.seen()[0]).to.deep.include({ seq: dialogue.ack, ack: dialogue.seq });
  });

  it('RFC 9293 §3.5 MUST-11: a RST in SYN-RECEIVED leaves nothing, as if the guest had never asked: its next SYN is a new one', () => {
    const { dialogue } = synReceived();
    expect(dialogue.send(RST)).to.deep.equal([]);
    expect(dialogue.stream.farSawReset).to.equal(true);
    expect(dialogue.bench.flows()).to.equal(0);
    dialogue.send(SYN, { seq: 77_777, mss: 1460 });
    expect(dialogue.bench.flows()).to.equal(1);
    expect(dialogue.bench.kernel.opener.requests).to.have.length(1);
  });

  it('RFC 9293 §3.10.7.4: data and a FIN that come with the third segment are taken', () => {
    const { dialogue } = synReceived();
    dialogue.sendData(pattern(100), ACK | PSH | FIN);
    dialogue.seq = (dialogue.seq + 1) | 0;
    dialogue.bench.advance(10);
    expect(dialogue.seen().at(-1)?.ack).to.equal(dialogue.seq);
    expect(farText(dialogue)).to.deep.equal(pattern(100));
    expect(dialogue.stream.farSawEnd).to.equal(true);
  });

  it('RFC 9293 §3.10.7.3: the far end refuses: RST of the SYN, as a host without a listener sends it', () => {
    const dialogue = connecting({ guestIss: -2 });
    dialogue.stream.refuse(ECONNREFUSED);
    const answers = dialogue.seen();
    expect(answers).to.have.length(1);
    expect(answers[0]).to.deep.include({ flags: RST | ACK, seq: 0, ack: -1, window: 0 });
    dialogue.bench.expectNothingLeft();
  });

  it('RFC 9293 §3.10.7.1: a segment of no connection gets the RST that fits it, a RST gets nothing', () => {
    const cases: [number, object, object | null][] = [
      [ACK, { seq: 9, ack: 77 }, { flags: RST, seq: 77 }],
      [ACK, { seq: 9, ack: -1, payload: pattern(10) }, { flags: RST, seq: -1 }],
      [ACK | FIN, { seq: 9, ack: 5 }, { flags: RST, seq: 5 }],
      [SYN | ACK, { seq: 9, ack: 5 }, { flags: RST, seq: 5 }],
      [FIN, { seq: -1, payload: pattern(3) }, { flags: RST | ACK, seq: 0, ack: 3 }],
      [0, { seq: 100, payload: pattern(3) }, { flags: RST | ACK, seq: 0, ack: 103 }],
      [0, { seq: 0x7fffffff }, { flags: RST | ACK, seq: 0, ack: 0x7fffffff }],
      [RST, { seq: 9 }, null],
      [RST | ACK, { seq: 9, ack: 5 }, null],
      [RST | SYN, { seq: 9 }, null],
    ];
    for (const [flags, given, expected] of cases) {
      const answers = new Dialogue().send(flags, given);
      expect(answers).to.have.length(expected === null ? 0 : 1);
      if (expected !== null) expect(answers[0]).to.deep.include(expected);
    }
  });
});

describe('RFC 9293 §3.9.2.3: addresses', () => {
  const from4 = (guest: number[]): Ends => ({ ...ENDS4, guest: Uint8Array.from(guest) });
  const to4 = (far: number[]): Ends => ({ ...ENDS4, far: Uint8Array.from(far) });
  const address6 = (first: number, last: number): Uint8Array => Uint8Array.from([first, 2, ...new Array(13).fill(0), last]);

  function expectSilence(ends: Ends): void {
    const bench = new Workbench();
    bench.deliver(synTo(ends));
    bench.settle();
    expect(bench.kernel.tap.toGuest, `${ends.guest} → ${ends.far}`).to.have.length(0);
    expect(bench.kernel.opener.requests).to.have.length(0);
    expect(bench.flows()).to.equal(0);
  }

  it('RFC 9293 §3.9.2.3 MUST-46, MUST-57: to a group or to everybody: silence, and no socket is asked for', () => {
    for (const far of [
      [224, 0, 0, 1],
      [239, 255, 255, 255],
      [255, 255, 255, 255],
    ])
      expectSilence(to4(far));
    expectSilence({ ...ENDS6, far: address6(0xff, 1) });
  });

  it('RFC 9293 §3.9.2.3 MUST-63: from a group, from everybody, from nobody, from a loopback', () => {
    for (const guest of [
      [224, 0, 0, 1],
      [255, 255, 255, 255],
      [0, 0, 0, 0],
      [127, 0, 0, 1],
    ])
      expectSilence(from4(guest));
    expectSilence({ ...ENDS6, guest: address6(0xff, 1) });
    expectSilence({ ...ENDS6, guest: new Uint8Array(16) });
  });
});

describe('RFC 9293 §3.6: closing', () => {
  it('RFC 9293 §3.6 MUST-12: the far end sees an end where the guest ends, a reset where it resets', () => {
    const ends = established();
    sendFin(ends, pattern(5));
    farText(ends);
    expect([ends.stream.farSawEnd, ends.stream.farSawReset]).to.deep.equal([true, false]);
    const resets = established();
    resets.sendData(pattern(5));
    resets.send(RST);
    expect([resets.stream.farSawEnd, resets.stream.farSawReset]).to.deep.equal([false, true]);
  });

  it('RFC 9293 §3.6 MUST-12: and the guest sees a FIN where the far end ends, a RST where it resets', () => {
    const ends = established();
    expect(hostFin(ends)).to.deep.include({ flags: FIN | ACK, seq: ends.ack, ack: ends.seq });
    const resets = established();
    resets.stream.reset();
    expect(resets.seen()).to.have.length(1);
    expect(resets.bench.flows()).to.equal(0);
  });

  it('RFC 9293 §3.6: each way is closed alone, in either order, and data flows the other way', () => {
    const guestFirst = established();
    sendFin(guestFirst);
    guestFirst.bench.advance(5);
    expect(guestFirst.seen().at(-1)).to.deep.include({ flags: ACK, ack: guestFirst.seq });
    guestFirst.stream.write(pattern(3000));
    expect(bytesOf(guestFirst.seen())).to.deep.equal(pattern(3000));
    guestFirst.acknowledge(guestFirst.ack + 3000);
    expect(hostFin(guestFirst).seq).to.equal(guestFirst.ack);

    const hostFirst = established();
    hostFin(hostFirst);
    hostFirst.acknowledge(hostFirst.ack + 1);
    hostFirst.sendData(pattern(700));
    sendFin(hostFirst, pattern(10, 700));
    expect(farText(hostFirst)).to.deep.equal(pattern(710));
    expect(hostFirst.stream.farSawEnd).to.equal(true);
  });

  it('RFC 9293 §3.6: all that was sent before a FIN is delivered before it', () => {
    const dialogue = established({ window: 1000 });
    dialogue.stream.write(pattern(2500));
    dialogue.stream.end();
    const sent = dialogue.seen();
    while (((sent.at(-1)?.flags ?? 0) & FIN) === 0) sent.push(...dialogue.acknowledge(dialogue.ack + (sent.at(-1)?.payload.length ?? 0)));
    expect(bytesOf(sent)).to.deep.equal(pattern(2500));
    expect(sent.filter(({ flags }) => (flags & FIN) !== 0)).to.have.length(1);
  });

  it('RFC 9293 §3.6: both FINs cross', () => {
    const dialogue = established();
    hostFin(dialogue);
    sendFin(dialogue);
    dialogue.bench.advance(5);
    expect(dialogue.seen().map(({ ack }) => ack)).to.include(dialogue.seq);
    dialogue.acknowledge(dialogue.ack + 1);
    expect([dialogue.stream.farSawReset, dialogue.stream.closed || dialogue.bench.flows() === 1]).to.deep.equal([false, true]);
  });

  it('RFC 9293 §3.5.3 SHLD-2: a RST with data is a RST', () => {
    const dialogue = established();
    expect(dialogue.send(RST | ACK, { payload: pattern(30) })).to.deep.equal([]);
    expect(dialogue.bench.flows()).to.equal(0);
    expect(dialogue.stream.farSawReset).to.equal(true);
  });

  for (const [name, errno] of Object.entries({ EPIPE, ECONNRESET })) {
    it(`RFC 9293 §3.6.1 MAY-1, SHLD-3, MUST-47: the far end reads no more (${name}): RST for what the guest sends`, () => {
      const dialogue = established();
      hostFin(dialogue);
      dialogue.acknowledge(dialogue.ack + 1);
      dialogue.stream.send = () => -errno;
      const answers = dialogue.sendData(pattern(10));
      expect(answers[0]).to.deep.include({ flags: RST | ACK, seq: dialogue.ack });
      dialogue.bench.expectNothingLeft();
    });
  }

  it('RFC 9293 §3.10.7.4: whatever the flags, nothing but a RST that fits and the two FINs ends a connection', () => {
    for (let flags = 0; flags < 64; flags++) {
      if ((flags & RST) !== 0) continue;
      const dialogue = established();
      dialogue.send(flags, { urgent: (flags & URG) !== 0 ? 1 : 0 });
      expect(dialogue.bench.flows(), `flags ${flags}`).to.equal(1);
      expect(dialogue.stream.farSawReset).to.equal(false);
    }
  });
});
