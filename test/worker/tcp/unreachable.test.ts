/** A SYN that does not arrive, and the marks that it and what follows it have on the host's side. */
import { expect } from 'chai';
import { addressFromBytes } from '../../../shared/addresses.ts';
import { ConnectFlag } from '../../../shared/opener.ts';
import { ECONNREFUSED, EHOSTUNREACH } from '../../support/fake_file.ts';
import { ACK, parseFrame, RST, sum16, SYN } from '../../support/guest_frame.ts';
import { Dialogue, FAR_PORT, GUEST_PORT, pattern } from '../../support/tcp_dialogue.ts';
import { ENDS4, ENDS6 } from '../../support/workbench.ts';

const L3 = 10 + 14;
/** Expedited forwarding (RFC 3246 §2.7), and ECT(0) (RFC 3168 §5). */
const EF = 46 << 2;
const ECT0 = 2;

/** The frame with another hop limit and TOS or traffic class. */
function marked(frame: Uint8Array, hopLimit: number, trafficClass: number): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset);
  if ((frame[L3] as number) >> 4 === 6) {
    view.setUint16(L3, 0x6000 | (trafficClass << 4));
    view.setUint8(L3 + 7, hopLimit);
    return frame;
  }
  view.setUint8(L3 + 1, trafficClass);
  view.setUint8(L3 + 8, hopLimit);
  view.setUint16(L3 + 10, 0);
  view.setUint16(L3 + 10, ~sum16(frame.subarray(L3, L3 + 20)));
  return frame;
}

for (const ends of [ENDS4, ENDS6]) {
  const ipv4 = ends.guest.length === 4;
  const header = ipv4 ? 20 : 40;
  const router = ipv4 ? Uint8Array.of(203, 0, 113, 9) : Uint8Array.from(ends.far, (byte, at) => (at === 15 ? 9 : byte));
  const origin = ipv4 ? 2 : 3;
  const [hops, classes, errors] = ipv4 ? ['0.2', '0.1', '0.11'] : ['41.16', '41.67', '41.25'];

  function connecting(hopLimit = 64, trafficClass = 0): Dialogue {
    const dialogue = new Dialogue({ ends });
    dialogue.bench.deliver(marked(dialogue.frame(SYN, { mss: 1460, windowScale: 7 }), hopLimit, trafficClass));
    dialogue.seq = (dialogue.seq + 1) | 0;
    return dialogue;
  }

  function establish(dialogue: Dialogue): Dialogue {
    dialogue.bench.kernel.opener.answer(0, dialogue.stream);
    dialogue.bench.settle();
    dialogue.stream.accept();
    dialogue.ack = ((dialogue.seen()[0]?.seq as number) + 1) | 0;
    dialogue.send(ACK);
    return dialogue;
  }

  function refusedBy(type: number, code: number, errno: number): { frame: Uint8Array; dialogue: Dialogue } {
    const dialogue = connecting(3);
    dialogue.bench.kernel.opener.answer(0, dialogue.stream);
    dialogue.bench.settle();
    const offender = addressFromBytes(router);
    dialogue.stream.refuseBy({ errno, origin, type, code, info: 0, offender, payload: pattern(8), hopLimit: 62 });
    dialogue.bench.settle();
    const frames = dialogue.bench.kernel.tap.toGuest.splice(0);
    expect(frames).to.have.length(1);
    return { frame: frames[0] as Uint8Array, dialogue };
  }

  describe(`worker/tcp: a SYN on its way over IPv${ipv4 ? 4 : 6}`, () => {
    for (const [what, type, code, errno] of [
      ['has taken too many hops', ipv4 ? 11 : 3, 0, EHOSTUNREACH],
      ['is prohibited', ipv4 ? 3 : 1, ipv4 ? 13 : 1, EHOSTUNREACH],
      ['finds no port', ipv4 ? 3 : 1, ipv4 ? 3 : 4, ECONNREFUSED],
    ] as const) {
      it(`RFC 1122 §4.2.3.9: that it ${what} is told by who has said so, in its words, about the guest's own SYN`, () => {
        const { frame, dialogue } = refusedBy(type, code, errno);
        expect(frame[L3 + (ipv4 ? 8 : 7)]).to.equal(62);
        const packet = parseFrame(frame, ends);
        expect(packet.source).to.deep.equal(router);
        expect(Array.from(packet.l4.slice(0, 2))).to.deep.equal([type, code]);
        const inner = packet.l4.slice(8);
        expect(inner.slice(ipv4 ? 12 : 8, header)).to.deep.equal(Uint8Array.from([...ends.guest, ...ends.far]));
        const view = new DataView(inner.buffer, inner.byteOffset + header);
        expect([view.getUint16(0), view.getUint16(2), view.getInt32(4)]).to.deep.equal([GUEST_PORT, FAR_PORT, (dialogue.seq - 1) | 0]);
        dialogue.bench.expectNothingLeft();
      });
    }

    it('a reset of the far end is a reset', () => {
      const dialogue = connecting();
      dialogue.bench.kernel.opener.answer(0, dialogue.stream);
      dialogue.bench.settle();
      dialogue.stream.refuse(ECONNREFUSED);
      expect(dialogue.seen()[0]?.flags).to.equal(RST | ACK);
    });

    it('it has the guest’s hop limit and DSCP; the ordinary hop limit asks for nothing', () => {
      const [request] = connecting(3, EF | ECT0).bench.kernel.opener.requests;
      expect(request).to.deep.include({ hopLimit: 3, trafficClass: EF, flags: ConnectFlag.ERRORS });
      const [ordinary] = connecting().bench.kernel.opener.requests;
      expect(ordinary).to.deep.include({ hopLimit: 0, trafficClass: 0, flags: ConnectFlag.ERRORS });
    });

    it('RFC 1122 §4.2.3.9: once there is a connection, errors are not for its socket any more', () => {
      const { stream } = establish(connecting(3));
      expect(stream.options.get(errors as string)).to.equal(0);
      expect(stream.options.get('41.51')).to.equal(ipv4 ? undefined : 0);
      expect([...establish(connecting()).stream.options]).to.deep.equal([[errors, 0]]);
    });

    it('what follows it has the hop limit and the DSCP of the guest’s latest segment, and each change is one call', () => {
      const dialogue = establish(connecting(3, EF));
      const { options } = dialogue.stream;
      // The guest's ACK came with the ordinary ones.
      expect([options.get(hops as string), options.get(classes as string)]).to.deep.equal([64, 0]);
      options.clear();
      for (const [hopLimit, trafficClass, expected] of [
        [64, 0, []],
        [64, ECT0, []],
        [255, 0, [[hops, 255]]],
        [255, EF | ECT0, [[classes, EF]]],
        [0, EF, [[hops, 1]]],
      ] as const) {
        dialogue.bench.deliver(marked(dialogue.frame(ACK, { payload: pattern(5) }), hopLimit, trafficClass));
        dialogue.seq = (dialogue.seq + 5) | 0;
        dialogue.seen();
        expect([...options]).to.deep.equal(expected);
        options.clear();
      }
    });

    it('a connection of the host’s side has the guest’s as well, from its SYN|ACK on', () => {
      const dialogue = new Dialogue({ ends });
      dialogue.callGuest();
      dialogue.bench.deliver(marked(dialogue.frame(SYN | ACK, { mss: 1460, windowScale: 7 }), 64, EF));
      dialogue.seen();
      expect([...dialogue.stream.options]).to.deep.equal([[classes, EF]]);
    });
  });
}
