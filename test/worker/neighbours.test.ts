/** A guest that is a bridge: several MACs on its link, each of which gets what is for its own addresses. */
import { expect } from 'chai';
import { expectGuest } from '../../worker/guest.ts';
import { FakeStream } from '../support/fake_stream.ts';
import { buildFrame, echoMessage, type Ends } from '../support/guest_frame.ts';
import { hex, ip } from '../support/dhcp_client.ts';
import { ip6 } from '../support/dhcpv6_client.ts';
import { ENDS4, ENDS6, Workbench } from '../support/workbench.ts';

const VNET = 10;
const L2 = 14;
const OTHER_MAC = Uint8Array.of(2, 0, 0, 0, 0, 8);
const GATEWAY = '192.0.2.1';
const FIRST = { four: ENDS4, six: ENDS6 };
const OTHER = {
  four: { ...ENDS4, guest: Uint8Array.from(ip('192.0.2.88')), guestMac: OTHER_MAC },
  six: { ...ENDS6, guest: Uint8Array.from(ip6('2001:db8::88')), guestMac: OTHER_MAC },
};
let ports = 1000;

/** An ARP request. */
function whoHas(ends: Ends, address: string): Uint8Array {
  const frame = new Uint8Array(VNET + 42);
  const packet = [0, 1, 8, 0, 6, 4, 0, 1, ...ends.guestMac, ...ends.guest, 0, 0, 0, 0, 0, 0, ...ip(address)];
  frame.set([255, 255, 255, 255, 255, 255, ...ends.guestMac, 8, 6, ...packet], VNET);
  return frame;
}

function solicits(ends: Ends, address: string): Uint8Array {
  const group = { ...ends, far: Uint8Array.from([...ip6('ff02::1:ff00:0').slice(0, 13), ...ip6(address).slice(13)]) };
  const frame = buildFrame(group, 58, echoMessage(group, 135, 0, 0, Uint8Array.from([...ip6(address), 1, 1, ...ends.guestMac])));
  frame[VNET + L2 + 7] = 255;
  return frame;
}

/** Destination MACs of what has come to the guest. */
function receivers(bench: Workbench): string[] {
  bench.settle();
  return bench.kernel.tap.toGuest.splice(0).map((frame) => hex(frame.subarray(VNET, VNET + 6)));
}

/** To which MAC a connection for the guest's address goes. */
function connects(bench: Workbench, ends: Ends): string[] {
  const stream = new FakeStream();
  stream.connected = true;
  bench.openToGuest(ends, 80, ports++, stream);
  return receivers(bench);
}

/** Both have spoken, over both families, the first one last. */
function bridged(): Workbench {
  const bench = new Workbench();
  for (const station of [FIRST, OTHER, FIRST]) bench.deliver(whoHas(station.four, GATEWAY), solicits(station.six, 'fe80::1'));
  receivers(bench);
  return bench;
}

describe('worker/flow/neighbours', () => {
  it('each address is reached at the MAC that has spoken from it, an unknown one at whichever spoke last', () => {
    const bench = bridged();
    for (const station of [FIRST, OTHER])
      for (const ends of [station.four, station.six]) expect(connects(bench, ends)).to.deep.equal([hex(ends.guestMac)]);
    const unknown = { ...ENDS4, guest: Uint8Array.from(ip('192.0.2.99')) };
    expect(connects(bench, unknown)).to.deep.equal([hex(ENDS4.guestMac)]);
    bench.deliver(whoHas(OTHER.four, GATEWAY));
    receivers(bench);
    expect(connects(bench, unknown)).to.deep.equal([hex(OTHER_MAC)]);
  });

  it('an address that moves is reached where it has spoken last', () => {
    const bench = bridged();
    bench.deliver(whoHas({ ...FIRST.four, guestMac: OTHER_MAC }, GATEWAY));
    receivers(bench);
    expect(connects(bench, FIRST.four)).to.deep.equal([hex(OTHER_MAC)]);
  });

  it('the first one keeps its addresses when a second speaks, and is asked whether it has them', () => {
    const bench = new Workbench();
    bench.deliver(whoHas(OTHER.four, GATEWAY));
    const asked = bench.kernel.tap.toGuest.splice(0).map((frame) => hex(frame.subarray(VNET + 12, VNET + 14)));
    expect(asked, 'ARP and NDP for the addresses that were given, and the answer').to.deep.equal(['0806', '86dd', '0806']);
    expect(connects(bench, FIRST.four)).to.deep.equal([hex(ENDS4.guestMac)]);
    expect(connects(bench, FIRST.six)).to.deep.equal([hex(ENDS6.guestMac)]);
  });

  it('nobody is answered for an address that another has, but for our own', () => {
    const bench = bridged();
    bench.deliver(whoHas(FIRST.four, '192.0.2.88'), solicits(FIRST.six, '2001:db8::88'));
    expect(receivers(bench)).to.deep.equal([]);
    bench.deliver(whoHas(FIRST.four, '192.0.2.98'), solicits(FIRST.six, '2001:db8::98'));
    expect(receivers(bench)).to.have.length(2);
    bench.deliver(whoHas({ ...OTHER.four, guest: Uint8Array.from(ip(GATEWAY)) }, '192.0.2.98'));
    receivers(bench);
    bench.deliver(whoHas(FIRST.four, GATEWAY));
    expect(receivers(bench)).to.deep.equal([hex(ENDS4.guestMac)]);
  });

  it('on another link all is forgotten', () => {
    const bench = bridged();
    expectGuest();
    bench.deliver(whoHas(FIRST.four, GATEWAY));
    receivers(bench);
    expect(connects(bench, OTHER.four)).to.deep.equal([hex(ENDS4.guestMac)]);
  });
});
