/** A frame of the guest, and who takes it. */
import { expect } from 'chai';
import { MessageId } from '../../shared/messages.ts';
import { buildDatagram, buildEcho, buildFrame, buildSegment, SYN, withChecksum } from '../support/guest_frame.ts';
import { pattern } from '../support/tcp_dialogue.ts';
import { type BenchOptions, ENDS4, ENDS6, Workbench } from '../support/workbench.ts';

const EMPTY = new Uint8Array(0);

function syn(ends = ENDS4): Uint8Array {
  return buildSegment(ends, {
    sourcePort: 1000,
    destinationPort: 80,
    seq: 1,
    ack: 0,
    flags: SYN,
    window: 1000,
    payload: EMPTY,
    gsoSize: 0,
  });
}

/** One frame of each protocol and family. */
const FRAMES = {
  tcp4: syn(),
  tcp6: syn(ENDS6),
  udp4: buildDatagram(ENDS4, 1000, 53, pattern(5)),
  udp6: buildDatagram(ENDS6, 1000, 53, pattern(5)),
  icmp4: buildEcho(ENDS4, 1, 1, pattern(5)),
  icmp6: buildEcho(ENDS6, 1, 1, pattern(5)),
};

function taken(protocols: BenchOptions['protocols']): string[] {
  return Object.entries(FRAMES)
    .filter(([, frame]) => {
      const bench = new Workbench({ protocols: protocols ?? {} });
      bench.deliver(frame);
      return bench.kernel.opener.requests.length > 0;
    })
    .map(([name]) => name);
}

describe('worker/guest', () => {
  it('every protocol of either family leads to a request', () => {
    expect(taken({})).to.deep.equal(Object.keys(FRAMES));
  });

  it('a switch that is off takes its protocol or family away, and nothing else', () => {
    expect(taken({ tcp: false })).to.deep.equal(['udp4', 'udp6', 'icmp4', 'icmp6']);
    expect(taken({ udp: false })).to.deep.equal(['tcp4', 'tcp6', 'icmp4', 'icmp6']);
    expect(taken({ icmp: false })).to.deep.equal(['tcp4', 'tcp6', 'udp4', 'udp6']);
    expect(taken({ ipv4: false })).to.deep.equal(['tcp6', 'udp6', 'icmp6']);
    expect(taken({ ipv6: false })).to.deep.equal(['tcp4', 'udp4', 'icmp4']);
  });

  it('a protocol that is off is silent: no RST, no error', () => {
    const bench = new Workbench({ protocols: { tcp: false, udp: false, icmp: false } });
    bench.deliver(...Object.values(FRAMES));
    expect(bench.kernel.tap.toGuest).to.have.length(0);
  });

  it('counts what it can’t parse, and answers nothing', () => {
    const bench = new Workbench();
    const short = FRAMES.tcp4.slice(0, 40);
    const unknown = buildFrame(ENDS4, 132, pattern(20));
    bench.deliver(short, EMPTY.slice(), unknown);
    expect(bench.counter('frames_from_guest')).to.equal(3);
    expect(bench.counter('frames_malformed')).to.equal(2);
    expect(bench.counter('frames_unknown_protocol')).to.equal(1);
    expect(bench.kernel.tap.toGuest).to.have.length(0);
  });

  it('drops what a link has spoiled, be it a bit, and takes what is whole or has its checksum yet to be made', () => {
    const VOUCHED = 2;
    const whole = {
      tcp4: withChecksum(FRAMES.tcp4, ENDS4),
      tcp6: withChecksum(FRAMES.tcp6, ENDS6),
      udp4: withChecksum(FRAMES.udp4, ENDS4),
      udp6: withChecksum(FRAMES.udp6, ENDS6),
      icmp4: FRAMES.icmp4,
      icmp6: FRAMES.icmp6,
    };
    for (const [name, frame] of Object.entries(whole)) {
      const spoiled = frame.slice();
      spoiled[spoiled.length - 1]! ^= 0x10;
      const bench = new Workbench();
      bench.deliver(spoiled);
      expect(bench.kernel.opener.requests, name).to.have.length(0);
      expect(bench.kernel.tap.toGuest, name).to.have.length(0);
      expect(bench.counter('frames_bad_checksum'), name).to.equal(1);
      bench.deliver(frame);
      expect(bench.kernel.opener.requests, name).to.have.length(1);

      spoiled[0] = VOUCHED;
      const trusting = new Workbench();
      trusting.deliver(spoiled);
      expect(trusting.kernel.opener.requests, `${name}, vouched for`).to.have.length(1);
    }
  });

  it('a TCP segment to a group or from nobody is dropped', () => {
    const bench = new Workbench();
    bench.deliver(syn({ ...ENDS4, far: Uint8Array.of(224, 0, 0, 1) }));
    bench.deliver(syn({ ...ENDS4, far: Uint8Array.of(255, 255, 255, 255) }));
    bench.deliver(syn({ ...ENDS4, guest: new Uint8Array(4) }));
    bench.deliver(buildDatagram({ ...ENDS4, guest: new Uint8Array(4) }, 1000, 53, pattern(3)));
    expect(bench.flows()).to.equal(0);
    expect(bench.kernel.tap.toGuest).to.have.length(0);
  });

  it('learns the MAC of the guest, tells of it once, and answers to it', () => {
    const bench = new Workbench();
    const ends = { ...ENDS4, guestMac: Uint8Array.of(2, 9, 9, 9, 9, 9) };
    bench.deliver(syn(ends), syn(ends));
    // Whoever had another MAC before is asked whether it has its addresses.
    bench.kernel.tap.toGuest.length = 0;
    bench.kernel.opener.answer(-111, null);
    bench.settle();
    expect(bench.packets(ends)).to.have.length(1);
    expect(bench.kernel.channel.logged(MessageId.GUEST_MAC)).to.deep.equal([[2, 9, 9, 9, 9, 9]]);
    bench.deliver(syn({ ...ENDS4, guestMac: Uint8Array.of(3, 9, 9, 9, 9, 9) }));
    expect(bench.kernel.channel.logged(MessageId.GUEST_MAC), 'a group address is nobody’s').to.have.length(1);
  });
});
