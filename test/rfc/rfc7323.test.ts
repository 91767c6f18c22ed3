/** RFC 7323: window scale, timestamps, and protection against sequence numbers that have come around. */
import { expect } from 'chai';
import { rows } from '../../worker/flow/row.ts';
import { SND_WND, TS_RECENT, TS_RECENT_AT } from '../../worker/tcp/row.ts';
import { DEFAULT_TCP_TIMEOUTS } from '../../shared/limits.ts';
import { setTimeouts } from '../../worker/tcp/timeout.ts';
import { ACK, FIN, RST, type Segment, SYN } from '../support/guest_frame.ts';
import { type Dialogue, type DialogueOptions, pattern } from '../support/tcp_dialogue.ts';
import { arrivals, established, farText, sendFin, synReceived, synSent } from './states.ts';
import { absent, bySection, describeTable, differs, type Table } from './table.ts';

const SECTIONS = {
  '§2.2': 3,
  '§2.3': 5,
  '§2.4': 5,
  '§3.2': 9,
  '§4.1': 1,
  '§4.2': 1,
  '§4.3': 3,
  '§5.2': 1,
  '§5.3': 5,
  '§5.4': 2,
  '§5.5': 1,
  '§7.1': 1,
};

const TABLE: Table = {
  '§2.2/1': 'a window scale outside of a SYN is ignored',
  '§2.2/2': 'the window of a SYN is never scaled',
  '§2.2/3': 'a SYN|ACK has a window scale only if the SYN had one',
  '§2.3/1': 'windows of the guest are shifted left by its shift',
  '§2.3/2': 'ours are shifted right by ours',
  '§2.3/3': 'a shift above 14 is used as 14',
  '§2.3/4': 'unless both have sent one nothing is scaled',
  '§2.3/5': 'a window scale is answered by one',
  '§2.4/1': 'what any window has promised is taken',
  '§2.4/2': 'the right edge is remembered, not the last window',
  '§2.4/3': 'new data stays within the last window',
  '§2.4/4': differs(
    'the first retransmission looks at no window that has shrunk',
    'a window that has shrunk is respected: nothing beyond it is sent',
  ),
  '§2.4/5': 'later ones stay within the window',
  '§3.2/1': 'TSecr is 0 without ACK, and not looked at',
  '§3.2/2': 'timestamps in a SYN|ACK only if the SYN had them',
  '§3.2/3': 'once agreed they are in every segment but a RST',
  '§3.2/4': 'and in a RST',
  '§3.2/5': 'a segment without them is dropped',
  '§3.2/6': 'but ends nothing',
  '§3.2/7': 'without agreement they are ignored',
  '§3.2/8': 'SYNs that cross agree if both have them',
  '§3.2/9': 'TSecr of a segment with ACK is the last TSval that counts',
  '§4.1': absent('only an ACK of something new measures', 'round trips are measured by our own clock, by the segments themselves'),
  '§4.2': absent('many measurements in a round trip count less each', 'there is one measurement under way at a time'),
  '§4.3/1': 'with delayed ACKs the first segment’s timestamp is echoed',
  '§4.3/2': 'a segment behind a gap changes no echo',
  '§4.3/3': 'the one that fills it does',
  '§5.2': 'TS.Recent begins with the SYN’s',
  '§5.3/1': 'R1: an older timestamp: an ACK, and nothing else',
  '§5.3/2': 'R1: but not for a RST',
  '§5.3/3': 'R2: outside the window nothing is noted',
  '§5.3/4': 'R3: what is newer is noted',
  '§5.3/5': 'R4: the same timestamp is not older',
  '§5.4/1': 'our clock ticks between once a second and once a millisecond',
  '§5.4/2': 'and goes on with the time, across 2³²',
  '§5.5': 'after 24 days TS.Recent is nothing',
  '§7.1': 'our timestamps tell nothing of this machine',
};
describeTable(7323, bySection(SECTIONS), TABLE);

afterEach(() => setTimeouts(DEFAULT_TCP_TIMEOUTS));

const DAY = 24 * 3_600_000;

function withTimestamps(options: DialogueOptions = {}): Dialogue {
  return established({ timestamps: true, ...options });
}

function windowNow(dialogue: Dialogue): number {
  return rows[dialogue.row() + SND_WND] as number;
}

describe('RFC 7323 §2: window scale', () => {
  it('RFC 7323 §2.2/1: a window scale of a later segment is ignored', () => {
    const dialogue = established({ windowScale: 2 });
    dialogue.send(ACK, { rawOptions: [1, 3, 3, 9], window: 1000 });
    expect(windowNow(dialogue)).to.equal(4000);
  });

  it('RFC 7323 §2.2/2: the window of a SYN and of a SYN|ACK is taken as it is, and so is ours', () => {
    const { dialogue, synAck } = synReceived({ windowScale: 5, window: 1000 });
    expect(synAck.window).to.equal(65_535);
    expect(windowNow(dialogue)).to.equal(1000);
    dialogue.send(ACK);
    expect(windowNow(dialogue)).to.equal(32_000);

    const { dialogue: called, syn } = synSent();
    expect(syn.window).to.equal(65_535);
    called.send(SYN | ACK, { mss: 1460, windowScale: 5, window: 1000 });
    expect(windowNow(called)).to.equal(1000);
  });

  it('RFC 7323 §2.2/3, §2.3/5: a SYN|ACK has one if the SYN had one, our own SYN always', () => {
    expect(synReceived({ windowScale: -1 }).synAck.windowScale).to.equal(undefined);
    expect(synReceived({ windowScale: 0 }).synAck.windowScale).to.be.within(0, 14);
    expect(synSent().syn.windowScale).to.be.within(0, 14);
  });

  it('RFC 7323 §2.3/1, §2.3/3: windows are shifted as far as the guest says, by 14 at most', () => {
    for (const windowScale of [0, 1, 7, 13, 14, 15, 255]) {
      const dialogue = established({ windowScale });
      dialogue.send(ACK, { window: 3 });
      expect(windowNow(dialogue), `shift ${windowScale}`).to.equal(3 << Math.min(windowScale, 14));
    }
  });

  it('RFC 7323 §2.3/2: ours say how much room there is, shifted by our shift', () => {
    const { dialogue, synAck } = synReceived({ windowScale: 0 });
    dialogue.send(ACK);
    dialogue.stream.sendBuffer = 4_000_000;
    let answers: Segment[] = [];
    for (let at = 0; at < 20; at++) answers = dialogue.sendData(pattern(1460, at * 1460));
    const room = (answers[0]?.window ?? 0) << (synAck.windowScale ?? 0);
    expect(room).to.be.within(1_900_000, 2_000_000);
  });

  it('RFC 7323 §2.3/4: unless both have sent one neither is scaled', () => {
    const dialogue = established({ windowScale: -1, window: 500 });
    expect(windowNow(dialogue)).to.equal(500);
    dialogue.stream.sendBuffer = 4_000_000;
    expect(dialogue.sendData(pattern(1460))[0]?.window).to.be.above(60_000);

    const { dialogue: called } = synSent();
    called.send(SYN | ACK, { mss: 1460, window: 900 });
    called.seq = (called.seq + 1) | 0;
    called.stream.sendBuffer = 4_000_000;
    const answers = called.sendData(pattern(1460));
    called.bench.advance(10);
    expect([...answers, ...called.seen()].at(-1)?.window).to.be.above(60_000);
  });

  it('RFC 7323 §2.4/1, §2.4/2: a window that is announced smaller takes back nothing that was promised', () => {
    const dialogue = established();
    const [first] = dialogue.sendData(pattern(1460));
    const edge = ((first?.ack ?? 0) + ((first?.window ?? 0) << 8)) | 0;
    dialogue.stream.sendBuffer = 4000;
    dialogue.sendData(pattern(1460, 1460));
    const left = (edge - dialogue.seq) | 0;
    for (let at = 0; at < left; at += 1460) dialogue.sendData(pattern(Math.min(1460, left - at), 2920 + at));
    dialogue.stream.sendBuffer = 4_000_000;
    expect(farText(dialogue)).to.deep.equal(pattern(2920 + left));
  });

  it('RFC 7323 §2.4/3, §2.4/4, §2.4/5: nothing is sent beyond the last window, neither for the first time nor again', () => {
    const dialogue = established({ window: 5000, mss: 1000 });
    dialogue.stream.write(pattern(20_000));
    dialogue.seen();
    dialogue.window = 2000;
    const answers = [...dialogue.acknowledge(dialogue.ack + 1000), ...arrivals(dialogue, 10_000, 100).map(({ segment }) => segment)];
    const edge = (dialogue.ack + 2000) | 0;
    expect(answers.length).to.be.above(1);
    for (const { seq, payload } of answers) expect((seq + payload.length - edge) | 0).to.be.at.most(0);
  });
});

describe('RFC 7323 §3: timestamps', () => {
  it('RFC 7323 §3.2/1: TSecr of our SYN is 0, and that of the guest’s is not looked at', () => {
    expect(synSent().syn.timestamp?.echo).to.equal(0);
    const dialogue = withTimestamps();
    dialogue.bench.deliver(dialogue.frame(SYN, { timestamp: { value: dialogue.timestampNow(), echo: 0x7fffffff } }));
    expect(dialogue.bench.flows()).to.equal(1);
  });

  it('RFC 7323 §3.2/2: a SYN|ACK has them if the SYN had them', () => {
    expect(synReceived().synAck.timestamp).to.equal(undefined);
    const { dialogue, synAck } = synReceived({ timestamps: true });
    expect(synAck.timestamp?.echo).to.equal(dialogue.timestampNow());
  });

  for (const windowScale of [-1, 7]) {
    it(`RFC 7323 §3.2/3, §3.2/4: then every segment has them, whatever it is (window scale ${windowScale})`, () => {
      const dialogue = withTimestamps({ windowScale });
      dialogue.stream.write(pattern(5000));
      const seen = [...dialogue.seen(), ...dialogue.sendData(pattern(100)), ...dialogue.send(SYN)];
      dialogue.bench.advance(700);
      seen.push(...dialogue.seen());
      dialogue.acknowledge(dialogue.ack + 5000);
      dialogue.stream.end();
      seen.push(...dialogue.seen());
      dialogue.stream.reset();
      seen.push(...dialogue.seen());
      expect(seen.length).to.be.above(5);
      expect(seen.at(-1)?.flags).to.equal(RST | ACK);
      for (const segment of seen) expect(segment.timestamp, `flags ${segment.flags}`).to.not.equal(undefined);
    });
  }

  it('RFC 7323 §3.2/5, §3.2/6: a segment without them is dropped, and ends nothing; a RST counts', () => {
    const dialogue = withTimestamps();
    for (const flags of [ACK, ACK | FIN]) expect(dialogue.send(flags, { timestamp: undefined, payload: pattern(10) })).to.deep.equal([]);
    expect(farText(dialogue)).to.have.length(0);
    expect([dialogue.stream.farSawEnd, dialogue.stream.farSawReset, dialogue.bench.flows()]).to.deep.equal([false, false, 1]);
    dialogue.send(RST, { timestamp: undefined });
    expect(dialogue.stream.farSawReset).to.equal(true);
  });

  it('RFC 7323 §3.2/7: without agreement they are ignored, and the segment is taken', () => {
    const dialogue = established();
    const answers = [
      ...dialogue.send(ACK, { timestamp: { value: 1000, echo: 5 }, payload: pattern(10) }),
      ...dialogue.send(ACK, { seq: (dialogue.seq + 10) | 0, timestamp: { value: 10, echo: 5 }, payload: pattern(10, 10) }),
    ];
    expect(farText(dialogue)).to.deep.equal(pattern(20));
    for (const { timestamp } of answers) expect(timestamp).to.equal(undefined);
  });

  it('RFC 7323 §3.2/8: SYNs that cross: both have them, or none is used', () => {
    for (const timestamp of [{ value: 77, echo: 0 }, undefined]) {
      const { dialogue } = synSent();
      const [synAck] = dialogue.send(SYN, { ack: 0, mss: 1460, windowScale: 0, timestamp });
      expect(synAck?.timestamp?.echo).to.equal(timestamp?.value);
      dialogue.seq = (dialogue.seq + 1) | 0;
      const echo = { value: 78, echo: synAck?.timestamp?.value ?? 0 };
      dialogue.send(ACK, { timestamp: timestamp === undefined ? undefined : echo });
      dialogue.stream.write(pattern(10));
      expect(dialogue.seen()[0]?.timestamp?.echo).to.equal(timestamp === undefined ? undefined : 78);
    }
  });

  it('RFC 7323 §3.2/7: if the guest’s SYN|ACK has none they are not used', () => {
    const { dialogue } = synSent();
    expect(dialogue.send(SYN | ACK, { mss: 1460 })[0]?.timestamp).to.equal(undefined);
    dialogue.seq = (dialogue.seq + 1) | 0;
    dialogue.sendData(pattern(10));
    expect(farText(dialogue)).to.deep.equal(pattern(10));
  });
});

describe('RFC 7323 §4: what is echoed', () => {
  const send = (dialogue: Dialogue, from: number, length: number, value: number): Segment[] =>
    dialogue.send(ACK, { seq: (1001 + from) | 0, payload: pattern(length, from), timestamp: { value, echo: 0 } });

  /** The timestamps of a guest that has its own idea of time. */
  const echoing = (): Dialogue => withTimestamps({ timestampStart: 0 });

  it('RFC 7323 §4.3/1, §3.2/9: of two segments that one ACK covers, the first', () => {
    const dialogue = echoing();
    const frames = [100, 200, 300].map((value, index) =>
      dialogue.frame(ACK, { seq: (1001 + 100 * index) | 0, payload: pattern(100, 100 * index), timestamp: { value, echo: 0 } }),
    );
    dialogue.bench.deliver(...frames);
    const [answer] = dialogue.seen();
    expect([answer?.ack, answer?.timestamp?.echo]).to.deep.equal([1301, 100]);
    expect(send(dialogue, 300, 1460, 400)[0]?.timestamp?.echo).to.equal(400);
  });

  it('RFC 7323 §4.3/2, §4.3/3: behind a gap nothing new is echoed; what fills it is', () => {
    const dialogue = echoing();
    expect(send(dialogue, 0, 1460, 100)[0]?.timestamp?.echo).to.equal(100);
    for (const [from, value] of [
      [2920, 300],
      [4380, 400],
    ] as const) {
      const [answer] = send(dialogue, from, 1460, value);
      expect([answer?.ack, answer?.timestamp?.echo]).to.deep.equal([2461, 100]);
    }
    expect(send(dialogue, 1460, 1460, 500)[0]?.timestamp?.echo).to.equal(500);
  });

  it('RFC 7323 §5.2, §5.3/4, §5.3/5: the SYN’s first, then what is newer or the same', () => {
    const { dialogue, synAck } = synReceived({ timestamps: true, timestampStart: -5, windowScale: 0 });
    expect(synAck.timestamp?.echo).to.equal(-5);
    dialogue.send(ACK);
    for (const [from, value] of [
      [0, -5],
      [1460, -1],
      [2920, 0],
      [4380, 0],
      [5840, 5],
    ] as const)
      expect(send(dialogue, from, 1460, value)[0]?.timestamp?.echo, `${value}`).to.equal(value);
    expect(farText(dialogue)).to.deep.equal(pattern(7300));
  });

  it('RFC 7323 §5.3/3: a segment outside of the window, with a timestamp of the future, changes nothing', () => {
    const dialogue = echoing();
    send(dialogue, 0, 1460, 100);
    send(dialogue, 50_000_000, 10, 0x70000000);
    expect(rows[dialogue.row() + TS_RECENT]).to.equal(100);
    expect(send(dialogue, 1460, 1460, 150)[0]?.timestamp?.echo).to.equal(150);
  });
});

describe('RFC 7323 §5: late copies', () => {
  it('RFC 7323 §5.3/1: an older timestamp: the data is dropped, an ACK tells where we are, and nothing else counts', () => {
    const dialogue = withTimestamps();
    dialogue.stream.write(pattern(100));
    dialogue.seen();
    const old = { value: (dialogue.timestampNow() - 1) | 0, echo: 0 };
    const answers = dialogue.send(ACK | FIN, { payload: pattern(50, 7), timestamp: old, ack: (dialogue.ack + 100) | 0, window: 0 });
    expect(answers.map(({ flags, ack }) => [flags, ack])).to.deep.equal([[ACK, dialogue.seq]]);
    expect([dialogue.stream.taken, windowNow(dialogue), farText(dialogue).length]).to.deep.equal([0, 65_535, 0]);
    expect(dialogue.stream.farSawEnd).to.equal(false);
  });

  it('RFC 7323 §5.3/1: so a sequence number that has come around is recognised', () => {
    const dialogue = withTimestamps({ timestampStart: 0x7ffffff0 });
    const late = dialogue.frame(ACK, { payload: pattern(100) });
    dialogue.bench.advance(100);
    dialogue.sendData(pattern(100));
    dialogue.bench.deliver(late);
    sendFin(dialogue);
    expect(farText(dialogue)).to.deep.equal(pattern(100));
  });

  it('RFC 7323 §5.3/2: a RST counts however old it is', () => {
    const dialogue = withTimestamps();
    dialogue.send(RST, { timestamp: { value: (dialogue.timestampNow() - 1_000_000) | 0, echo: 0 } });
    expect(dialogue.stream.farSawReset).to.equal(true);
  });

  it('RFC 7323 §5.5: after 24 days without a segment any timestamp is right', () => {
    for (const [days, taken] of [
      [23, 0],
      [25, 10],
      [40, 10],
    ] as const) {
      const dialogue = withTimestamps();
      const value = (dialogue.timestampNow() - 1) | 0;
      // Neither side says anything, and the connection is not to end for it.
      rows[dialogue.row() + TS_RECENT_AT] = ((rows[dialogue.row() + TS_RECENT_AT] as number) - days * DAY) | 0;
      dialogue.send(ACK, { payload: pattern(10), timestamp: { value, echo: 0 } });
      expect(farText(dialogue), `${days} days`).to.have.length(taken);
    }
  });

  it('RFC 7323 §5.4/1, §5.4/2: our clock ticks each millisecond, and goes on across 2³¹ and 2³²', () => {
    const dialogue = withTimestamps();
    setTimeouts({ ...DEFAULT_TCP_TIMEOUTS, idle: 0 });
    let last = dialogue.timestampEcho;
    for (let days = 0; days < 60; days++) {
      for (const milliseconds of [1, 999, DAY / 2 - 1000, DAY / 2]) {
        dialogue.bench.advance(milliseconds);
        const [answer] = dialogue.send(ACK, { seq: (dialogue.seq - 1) | 0 });
        const ticks = ((answer?.timestamp?.value ?? 0) - last) | 0;
        expect(ticks).to.be.within(milliseconds, milliseconds + 1);
        last = answer?.timestamp?.value ?? 0;
      }
    }
  });

  it('RFC 7323 §7.1: each connection has an offset of its own, and the same one each time', () => {
    const clock = 1_000_000_000;
    const first = synReceived({ timestamps: true, clock }).synAck.timestamp?.value ?? 0;
    expect(synReceived({ timestamps: true, clock }).synAck.timestamp?.value).to.equal(first);
    expect(synReceived({ timestamps: true, clock: clock + 5000 }).synAck.timestamp?.value).to.equal((first + 5) | 0);
    const others = new Set([first]);
    for (let key = 1; key < 20; key++) others.add(synReceived({ timestamps: true, clock, hashKey: [key, 7] }).synAck.timestamp?.value ?? 0);
    expect(others.size).to.equal(20);
  });
});
