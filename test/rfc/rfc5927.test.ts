/** RFC 5927: ICMP is easily forged; RFC 1191 and RFC 8201: how large a packet may be on the way to the guest. */
import { expect } from 'chai';
import { buildError, type Segment } from '../support/guest_frame.ts';
import { type Dialogue, type DialogueOptions, FAR_PORT, GUEST_PORT, pattern } from '../support/tcp_dialogue.ts';
import { ENDS4, ENDS6 } from '../support/workbench.ts';
import { bytesOf, established, synSent } from './states.ts';
import { absent, bySection, describeTable, type Table } from './table.ts';

const ATTACKS: Table = {
  '§4.1': 'only an error about a segment on its way is believed',
  '§5.2': 'hard errors are soft ones for a connection that is open',
  '§6.2': 'a source quench is dropped',
  '§7.2': 'a smaller MTU is believed down to a floor only',
};
describeTable(5927, bySection({ '§4.1': 1, '§5.2': 1, '§6.2': 1, '§7.2': 1 }), ATTACKS);

const PATH_MTU4: Table = {
  '§3/1': 'packets get as small as the way needs them',
  '§3/2': 'no packet is sent as large again at once',
  '§3/3': 'the estimate is never below 68 bytes',
  '§6.3': absent(
    'a larger MTU may be found after ten minutes',
    'a connection whose way has become wider goes on with the segments it has; the next one asks anew',
  ),
  '§6.4': 'what was dropped is sent again at once',
  '§7': 'where a router tells no MTU the next plateau is tried',
};
describeTable(1191, bySection({ '§3': 3, '§6.3': 1, '§6.4': 1, '§7': 1 }), PATH_MTU4);

const PATH_MTU6: Table = {
  '§4/1': 'packets get smaller when one was too big',
  '§4/2': 'never smaller than 1280 bytes',
  '§4/3': 'never larger for such a message',
  '§5.4': 'what was dropped is sent again',
};
describeTable(8201, bySection({ '§4': 3, '§5.4': 1 }), PATH_MTU6);

/** A connection with 4000 bytes on their way. */
function sending(options: DialogueOptions = {}): Dialogue {
  const dialogue = established({ mss: 1400, ...options });
  dialogue.stream.write(pattern(4000));
  expect(bytesOf(dialogue.seen())).to.have.length(4000);
  return dialogue;
}

/** A router behind the guest returns the segment that begins `ahead` of what is acknowledged. */
function complain(dialogue: Dialogue, [type, code]: readonly [number, number], word: number, ahead = 0, port = GUEST_PORT): Segment[] {
  dialogue.bench.deliver(buildError(dialogue.ends, type, code, word, 6, [FAR_PORT, port, (dialogue.ack + ahead) | 0]));
  return dialogue.seen();
}

const TOO_BIG4 = [3, 4] as const;
const TOO_BIG6 = [2, 0] as const;
const sizes = (segments: Segment[]): number[] => segments.map(({ gsoSize, payload }) => gsoSize || payload.length);

describe('RFC 5927: forged errors', () => {
  it('RFC 5927 §4.1: about what was not sent, or is acknowledged, or belongs to nobody', () => {
    for (const ends of [ENDS4, ENDS6]) {
      const dialogue = sending({ ends });
      const tooBig = ends === ENDS4 ? TOO_BIG4 : TOO_BIG6;
      for (const ahead of [-1, -1000, 4000, 100_000, 0x7fffffff])
        expect(complain(dialogue, tooBig, 1280, ahead), `${ahead}`).to.deep.equal([]);
      expect(complain(dialogue, tooBig, 1280, 0, 1)).to.deep.equal([]);
      expect(complain(dialogue, tooBig, 1280, 3999)).to.have.length.above(0);
    }
  });

  it('RFC 5927 §5.2, RFC 9293 §3.9.2.2 SHLD-26: unreachable port or protocol, about a segment on its way, ends no open connection', () => {
    for (const [ends, kinds] of [
      [ENDS4, [2, 3].map((code) => [3, code])],
      [ENDS6, [[1, 4]]],
    ] as const) {
      const dialogue = sending({ ends });
      for (const kind of kinds) complain(dialogue, kind as [number, number], 0);
      expect(dialogue.bench.flows()).to.equal(1);
      expect(dialogue.stream.farSawReset).to.equal(false);
    }
  });

  it('RFC 5927 §5.2: but a call that the guest has not answered', () => {
    const { dialogue } = synSent();
    complain(dialogue, [3, 3], 0, 5);
    expect(dialogue.bench.flows(), 'one about something else').to.equal(1);
    complain(dialogue, [3, 3], 0, -1);
    expect(dialogue.stream.farSawReset).to.equal(true);
    dialogue.bench.expectNothingLeft();
  });

  it('RFC 5927 §6.2: a source quench slows nothing', () => {
    const dialogue = sending();
    expect(complain(dialogue, [4, 0], 0)).to.deep.equal([]);
    dialogue.stream.write(pattern(30_000));
    expect(bytesOf(dialogue.seen())).to.have.length(30_000);
  });

  it('RFC 5927 §7.2, RFC 1191 §3/3: an MTU of nothing makes no tiny segments', () => {
    for (const mtu of [1, 20, 60, 68, 200]) {
      const dialogue = sending();
      for (const size of sizes(complain(dialogue, TOO_BIG4, mtu))) expect(size).to.be.at.least(512);
    }
  });
});

describe('RFC 1191, RFC 8201: the MTU of the way', () => {
  it('RFC 1191 §3/1, §6.4: segments that fit, and what was dropped again', () => {
    const dialogue = sending();
    const again = complain(dialogue, TOO_BIG4, 1000);
    expect([bytesOf(again).length, again[0]?.seq, sizes(again)[0]]).to.deep.equal([4000, dialogue.ack, 960]);
  });

  it('RFC 9293 §3.7.5 SHLD-6: with timestamps, the options come out of the MTU as well', () => {
    const dialogue = sending({ timestamps: true });
    expect(sizes(complain(dialogue, TOO_BIG4, 1000))[0]).to.equal(948);
  });

  it('RFC 1191 §3/2: all that follows is as small', () => {
    const dialogue = sending();
    complain(dialogue, TOO_BIG4, 1000);
    dialogue.acknowledge(dialogue.ack + 4000);
    dialogue.stream.write(pattern(20_000));
    expect(Math.max(...sizes(dialogue.seen()))).to.equal(960);
    dialogue.bench.advance(500);
    expect(Math.max(...sizes(dialogue.seen()))).to.be.at.most(960);
  });

  it('RFC 1191 §7: from plateau to plateau, where a router tells no MTU', () => {
    const dialogue = sending();
    expect(sizes(complain(dialogue, TOO_BIG4, 0))[0]).to.equal(1006 - 40);
    expect(sizes(complain(dialogue, TOO_BIG4, 0))[0]).to.equal(552 - 40);
    expect(complain(dialogue, TOO_BIG4, 0)).to.deep.equal([]);
  });

  it('RFC 8201 §4/1, §5.4: likewise over IPv6', () => {
    const dialogue = sending({ ends: ENDS6 });
    const again = complain(dialogue, TOO_BIG6, 1300);
    expect([bytesOf(again).length, again[0]?.seq, sizes(again)[0]]).to.deep.equal([4000, dialogue.ack, 1240]);
  });

  it('RFC 8201 §4/2: never smaller than 1280', () => {
    for (const mtu of [0, 68, 576, 1279]) expect(sizes(complain(sending({ ends: ENDS6 }), TOO_BIG6, mtu))[0]).to.equal(1220);
  });

  it('RFC 8201 §4/3: nor larger, whatever such a message says', () => {
    for (const [ends, kind] of [
      [ENDS4, TOO_BIG4],
      [ENDS6, TOO_BIG6],
    ] as const) {
      const dialogue = sending({ ends });
      for (const mtu of [1500, 9000, 65_535, ends === ENDS6 ? 0xffffffff : 65_535]) expect(complain(dialogue, kind, mtu)).to.deep.equal([]);
    }
  });
});
