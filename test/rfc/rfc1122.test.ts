/**
 * RFC 1122: what a host's IP owes to its TCP (§3.2, §3.3), and where §4.2, whose requirements RFC 9293 has taken over, is tested.
 */
import { expect } from 'chai';
import { fragments } from '../support/fragments.ts';
import { ACK, sum16, SYN, withChecksum } from '../support/guest_frame.ts';
import { type Dialogue, pattern } from '../support/tcp_dialogue.ts';
import { ENDS4 } from '../support/workbench.ts';
import { established, farText } from './states.ts';
import { absent, describeTable, takenOver, type Table } from './table.ts';

const IP: Table = {
  '§3.2.1.1': 'another version than 4 is dropped silently',
  '§3.2.1.2': 'a wrong header checksum is dropped silently',
  '§3.2.1.3/1': 'a source that can be nobody’s is dropped silently',
  '§3.2.1.3/2': 'a loopback address is never on the wire',
  '§3.2.1.4': 'fragments are put together',
  '§3.2.1.5': absent('identification', 'packets that can not be fragmented need none'),
  '§3.2.1.6': absent('type of service', 'it is not passed on'),
  '§3.2.1.7/1': 'a TTL of 1 or 0 is no reason to drop what has arrived',
  '§3.2.1.7/2': 'nothing is sent with a TTL of 0',
  '§3.2.1.8': takenOver('options are skipped', 'MUST-50'),
  '§3.2.2': 'ICMP of an unknown type is dropped silently',
  '§3.3.3': takenOver('packets fit the link', 'MUST-16'),
};

const TCP_PROTOCOL: Table = {
  '§4.2.2.1': absent('well-known ports', 'no port means anything to us'),
  '§4.2.2.2': takenOver('PUSH', 'MUST-61'),
  '§4.2.2.3': takenOver('window size', 'MUST-1'),
  '§4.2.2.4': takenOver('urgent pointer', 'MUST-62'),
  '§4.2.2.5': takenOver('options', 'MUST-7'),
  '§4.2.2.6': takenOver('maximum segment size', 'MUST-15'),
  '§4.2.2.7': takenOver('checksum', 'MUST-3'),
  '§4.2.2.8': takenOver('state diagram', 'MUST-13'),
  '§4.2.2.9': takenOver('initial sequence numbers', 'MUST-8'),
  '§4.2.2.10': takenOver('simultaneous open', 'MUST-10'),
  '§4.2.2.11': takenOver('old SYNs', 'MUST-11'),
  '§4.2.2.12': takenOver('RST', 'SHLD-2'),
  '§4.2.2.13': takenOver('closing', 'MUST-12'),
  '§4.2.2.14': takenOver('Nagle’s algorithm', 'SHLD-7'),
  '§4.2.2.15': takenOver('retransmission timeout', 'MUST-19'),
  '§4.2.2.16': takenOver('shrinking windows', 'MUST-34'),
  '§4.2.2.17': takenOver('zero windows', 'MUST-36'),
  '§4.2.2.18': takenOver('passive OPEN', 'MUST-41'),
  '§4.2.2.19': takenOver('time to live', 'MUST-49'),
  '§4.2.2.20': takenOver('event processing', 'MUST-59'),
  '§4.2.2.21': takenOver('queued segments', 'SHLD-31'),
};

const TCP_MORE: Table = {
  '§4.2.3.1': takenOver('timeouts', 'MUST-18'),
  '§4.2.3.2': takenOver('when to acknowledge', 'MUST-40'),
  '§4.2.3.3': takenOver('when to open the window', 'MUST-39'),
  '§4.2.3.4': takenOver('when to send', 'MUST-38'),
  '§4.2.3.5': takenOver('failures', 'MUST-20'),
  '§4.2.3.6': takenOver('keep-alives', 'MUST-25'),
  '§4.2.3.7': takenOver('multihoming', 'MUST-45'),
  '§4.2.3.8': takenOver('IP options', 'MUST-50'),
  '§4.2.3.9': takenOver('ICMP', 'MUST-56'),
  '§4.2.3.10': takenOver('addresses', 'MUST-57'),
  '§4.2.3.11': absent('traffic patterns', 'a description, without a requirement'),
  '§4.2.3.12': absent('efficiency', 'advice, without a requirement'),
  '§4.2.4.1': takenOver('reports', 'MUST-47'),
  '§4.2.4.2': takenOver('type of service', 'MUST-48'),
  '§4.2.4.3': takenOver('flush', 'MAY-14'),
  '§4.2.4.4': takenOver('local address', 'MUST-43'),
};

const SECTIONS = [
  ...Object.keys(IP),
  ...Array.from({ length: 21 }, (_, index) => `§4.2.2.${index + 1}`),
  ...Array.from({ length: 12 }, (_, index) => `§4.2.3.${index + 1}`),
  ...Array.from({ length: 4 }, (_, index) => `§4.2.4.${index + 1}`),
];
describeTable(1122, SECTIONS, { ...IP, ...TCP_PROTOCOL, ...TCP_MORE });

const L3 = 10 + 14;

/** A segment with ten bytes whose IP header `change` alters; the header's checksum is right again unless told otherwise. */
function altered(dialogue: Dialogue, change: (header: DataView) => void, repair = true): Uint8Array {
  const frame = dialogue.frame(ACK, { payload: pattern(10) });
  const header = new DataView(frame.buffer, L3, 20);
  change(header);
  if (repair) {
    header.setUint16(10, 0);
    header.setUint16(10, ~sum16(frame.subarray(L3, L3 + 20)));
  }
  return frame;
}

function taken(change: (header: DataView) => void, repair = true): number {
  const dialogue = established();
  dialogue.bench.deliver(altered(dialogue, change, repair));
  dialogue.bench.advance(10);
  const { length } = farText(dialogue);
  const answers = dialogue.seen();
  if (length === 0) expect(answers, 'silence').to.deep.equal([]);
  expect(dialogue.bench.flows()).to.equal(1);
  return length;
}

describe('RFC 1122 §3.2: below TCP', () => {
  it('RFC 1122 §3.2.1.1: another version is dropped silently', () => {
    expect(taken(() => {})).to.equal(10);
    for (const version of [0, 3, 5, 6, 15]) expect(taken((header) => header.setUint8(0, (version << 4) | 5))).to.equal(0);
  });

  it('RFC 1122 §3.2.1.2: one wrong bit in the header is dropped silently', () => {
    for (let bit = 0; bit < 160; bit++)
      expect(
        taken((header) => header.setUint8(bit >> 3, header.getUint8(bit >> 3) ^ (1 << (bit & 7))), false),
        `bit ${bit}`,
      ).to.equal(0);
  });

  it('RFC 1122 §3.2.1.3/1, §3.2.1.3/2: a source that can be nobody’s, a loopback', () => {
    for (const source of [0xe0000001, 0xffffffff, 0x7f000001, 0x00000000])
      expect(taken((header) => header.setUint32(12, source))).to.equal(0);
    expect(taken((header) => header.setUint32(16, 0x7f000001))).to.equal(0);
  });

  it('RFC 1122 §3.2.1.4: fragments are put together', () => {
    const dialogue = established();
    const whole = withChecksum(dialogue.frame(ACK, { payload: pattern(100) }), ENDS4);
    for (const piece of fragments(whole, 48).reverse()) {
      expect(farText(dialogue)).to.have.length(0);
      dialogue.bench.deliver(piece);
    }
    expect(farText(dialogue)).to.deep.equal(pattern(100));
    expect(dialogue.bench.counter('frames_fragment')).to.equal(3);
  });

  it('RFC 1122 §3.2.1.7/1: what has arrived with a TTL of 1 or 0 has arrived', () => {
    for (const ttl of [0, 1, 255]) expect(taken((header) => header.setUint8(8, ttl))).to.equal(10);
  });

  it('RFC 1122 §3.2.1.7/2: nothing is sent with a TTL of 0, answers to nobody’s segments included', () => {
    const dialogue = established();
    dialogue.stream.write(pattern(10));
    dialogue.send(SYN, { sourcePort: 7 });
    dialogue.bench.deliver(dialogue.frame(ACK, { sourcePort: 8 }));
    dialogue.stream.write(pattern(10));
    dialogue.bench.settle();
    const frames = dialogue.bench.kernel.tap.toGuest;
    expect(frames.length).to.be.above(1);
    for (const frame of frames) expect(frame[L3 + 8]).to.be.above(0);
  });

  it('RFC 1122 §3.2.2: ICMP of an unknown type is dropped silently', () => {
    const dialogue = established();
    for (const type of [1, 2, 7, 19, 42, 255]) {
      const message = Uint8Array.from([type, 0, 0, 0, 0, 0, 0, 0]);
      const view = new DataView(message.buffer);
      view.setUint16(2, ~sum16(message));
      const frame = altered(dialogue, (header) => {
        header.setUint8(9, 1);
        header.setUint16(2, 28);
      }).slice(0, L3 + 28);
      frame.set(message, L3 + 20);
      frame.fill(0, 0, 10);
      dialogue.bench.deliver(frame);
    }
    expect(dialogue.seen()).to.deep.equal([]);
    expect(dialogue.bench.flows()).to.equal(1);
  });
});
