/** A guest that has said nothing: it is asked for, as long as somebody waits for it, and who waits is not kept waiting once it answers. */
import { expect } from 'chai';
import { ETHERNET_HEADER, ETHERTYPE_ARP } from '../../worker/wire/ethernet.ts';
import { ARP_REPLY, ARP_REQUEST } from '../../worker/wire/arp.ts';
import { parseAddress } from '../../shared/addresses.ts';
import { DEFAULT_TCP_TIMEOUTS } from '../../shared/limits.ts';
import { closeListeners, type ListenerFacts, openListener, setForwardedPorts } from '../../worker/listener.ts';
import { GUEST_MAC } from '../../worker/link/arena.ts';
import { bytes } from '../../worker/wire/memory.ts';
import { FakeListener } from '../support/fake_listener.ts';
import { FakeStream } from '../support/fake_stream.ts';
import { ENDS4, Workbench } from '../support/workbench.ts';

const VNET = 10;
const PORT: ListenerFacts = { id: 3, protocol: 6, guest: false, port: 8080, targetPort: 80, target: new Uint8Array(0) };
const FAR = parseAddress('198.51.100.7') as Uint8Array;
const SYN = 2;

interface Silent {
  readonly bench: Workbench;
  /** Somebody connects; the stream's far end tells whether it was reset. */
  come(port: number): FakeStream;
  /** Ports of the far ends whose SYN the guest has got since last asked, and how many ARP requests. */
  heard(): { asked: number; syns: number[] };
}

function silent(): Silent {
  const bench = new Workbench();
  bytes.fill(0xff, GUEST_MAC, GUEST_MAC + 6);
  setForwardedPorts({ frames: true });
  const listener = new FakeListener();
  openListener(PORT, bench.kernel.install(listener));
  return {
    bench,
    come(port) {
      const stream = new FakeStream();
      stream.connected = true;
      listener.come(stream, FAR, port);
      bench.settle();
      return stream;
    },
    heard() {
      bench.settle();
      const frames = bench.kernel.tap.toGuest.splice(0).map((frame) => new DataView(frame.buffer, frame.byteOffset + VNET));
      const isArp = (frame: DataView): boolean => frame.getUint16(12) === ETHERTYPE_ARP;
      const asked = frames.filter((frame) => isArp(frame) && frame.getUint16(ETHERNET_HEADER + 6) === ARP_REQUEST).length;
      const l4 = ETHERNET_HEADER + 20;
      const syns = frames.filter((frame) => !isArp(frame) && frame.getUint8(l4 + 13) === SYN).map((frame) => frame.getUint16(l4));
      return { asked, syns };
    },
  };
}

/** What the guest says when it is asked for. */
function answer(): Uint8Array {
  const frame = new Uint8Array(VNET + 42);
  frame.set(ENDS4.ourMac, VNET);
  frame.set(ENDS4.guestMac, VNET + 6);
  frame.set([8, 6, 0, 1, 8, 0, 6, 4, 0, ARP_REPLY, ...ENDS4.guestMac, ...ENDS4.guest, ...ENDS4.ourMac, 192, 0, 2, 1], VNET + 12);
  return frame;
}

describe('worker/search', () => {
  afterEach(() => closeListeners([PORT.id]));

  it('RFC 1122 §2.3.2.2: whoever waits is let through with the guest’s answer, not with the next retransmission', () => {
    const { bench, come, heard } = silent();
    come(4001);
    come(4002);
    expect(heard()).to.deep.equal({ asked: 1, syns: [4001, 4002] });
    bench.advance(20);
    bench.deliver(answer());
    expect(heard()).to.deep.equal({ asked: 0, syns: [4001, 4002] });
    bench.advance(900);
    bench.deliver(answer());
    expect(heard(), 'and once').to.deep.equal({ asked: 0, syns: [] });
    bench.advance(100);
    expect(heard(), 'the timeout begins anew').to.deep.equal({ asked: 0, syns: [4001, 4002] });
  });

  it('asks once a second for as long as a connection waits, and lets the worker sleep after that', () => {
    const { bench, come, heard } = silent();
    const stream = come(4001);
    expect(heard().asked).to.equal(1);
    for (let second = 1; second <= DEFAULT_TCP_TIMEOUTS.handshake / 1000; second++) {
      bench.advance(1000);
      expect(heard().asked, `second ${second}`).to.equal(1);
    }
    bench.advance(5000);
    heard();
    expect(stream.farSawReset).to.equal(true);
    bench.advance(5000);
    expect(heard()).to.deep.equal({ asked: 0, syns: [] });
    expect(bench.wait()).to.equal(-1);
  });

  it('does not ask for a guest that is known', () => {
    const { bench, come, heard } = silent();
    bench.deliver(answer());
    come(4001);
    expect(heard()).to.deep.equal({ asked: 0, syns: [4001] });
    bench.advance(500);
    expect(heard()).to.deep.equal({ asked: 0, syns: [] });
  });
});
