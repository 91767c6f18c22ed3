/** RFC 3042: what the first two duplicates let go. */
import { expect } from 'chai';
import { FLAGS, rows } from '../../worker/flow/row.ts';
import { pipe } from '../../worker/tcp/congestion.ts';
import { RECOVERING } from '../../worker/tcp/row.ts';
import { ACK, type Segment } from '../support/guest_frame.ts';
import { LossyGuest, MSS, nothing, payloadBytes } from '../support/lossy_guest.ts';
import { thousands } from './sack.ts';
import { bySection, describeTable, type Table } from './table.ts';

const TABLE: Table = {
  '§2/1': 'each of the first two duplicates has a segment of new data sent, if the guest’s window allows',
  '§2/2': 'no more than two segments beyond the congestion window are outstanding',
  '§2/3': 'the congestion window does not change by that',
  '§2/4': 'where SACK is permitted, a duplicate that tells nothing new lets nothing go',
};
describeTable(3042, bySection({ '§2': 4 }), TABLE);

/** A guest for which there is a congestion window, full, and nothing lost; its own window has room for `room` segments more. */
function bounded(sack: boolean, room: number): LossyGuest {
  const guest = new LossyGuest({ sack, window: 65_000 });
  let sent = guest.trip(guest.settle(), (segment) => segment % 4 === 3);
  while (((rows[guest.row + FLAGS] as number) & RECOVERING) !== 0) sent = guest.trip(sent, nothing);
  const { dialogue } = guest;
  expect(guest.window - pipe(guest.row)).to.be.within(0, MSS - 1);
  dialogue.window = guest.outstanding + room * MSS;
  // A window update, which is no duplicate.
  expect(dialogue.send(ACK)).to.deep.equal([]);
  return guest;
}

function duplicate(guest: LossyGuest, number: number, sack: boolean): Segment[] {
  return guest.dialogue.send(ACK, sack ? { sack: thousands(guest.dialogue.ack, [1, 1 + number]) } : {});
}

for (const sack of [true, false]) {
  describe(`RFC 3042 §2: limited transmit, ${sack ? 'with' : 'without'} SACK`, () => {
    it('RFC 3042 §2/1, §2/2, §2/3: a segment of new data for each of two duplicates; the window stays as it is', () => {
      const guest = bounded(sack, 10);
      const { window } = guest;
      for (const number of [1, 2]) {
        const end = (guest.dialogue.ack + guest.outstanding) | 0;
        const sent = duplicate(guest, number, sack);
        expect(sent.map(({ seq }) => seq)).to.deep.equal([end]);
        expect(payloadBytes(sent)).to.equal(MSS);
        expect(guest.outstanding).to.be.at.most(window + 2 * MSS);
        expect(guest.window).to.equal(window);
      }
    });

    it('RFC 3042 §2/1: none where the guest’s window has no room', () => {
      const guest = bounded(sack, 0);
      for (const number of [1, 2]) expect(duplicate(guest, number, sack)).to.deep.equal([]);
    });
  });
}

describe('RFC 3042 §2: limited transmit', () => {
  it('RFC 3042 §2/4: duplicates without SACK, or with what is known, let nothing go', () => {
    const plain = bounded(true, 10);
    for (const number of [1, 2]) expect(duplicate(plain, number, false)).to.deep.equal([]);
    const known = bounded(true, 10);
    expect(duplicate(known, 1, true)).to.have.length(1);
    for (let times = 0; times < 5; times++) expect(duplicate(known, 1, true)).to.deep.equal([]);
  });
});
