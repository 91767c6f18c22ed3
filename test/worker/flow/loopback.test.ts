/** Who goes from loopback to loopback, and where to: the decision table. */
import { expect } from 'chai';
import { formatAddress, parseAddress } from '../../../shared/addresses.ts';
import { source, target } from '../../../worker/flow/forward.ts';
import { crosses, crossOver, setLoopbacks } from '../../../worker/flow/loopback.ts';
import { setObserved } from '../../../worker/flow/observed.ts';
import { Workbench } from '../../support/workbench.ts';

const NONE = '::';

function words(text: string): Int32Array {
  const view = new DataView((parseAddress(text) as Uint8Array).slice().buffer);
  return Int32Array.from([0, 4, 8, 12], (at) => view.getInt32(at));
}

function textOf(address: Int32Array): string {
  const bytes = new Uint8Array(16);
  for (let word = 0; word < 4; word++) new DataView(bytes.buffer).setInt32(4 * word, address[word]!);
  return formatAddress(bytes);
}

describe('flow/loopback', () => {
  beforeEach(() => {
    new Workbench();
    setLoopbacks({ splices: true, guestLoopback: false });
  });

  const decisions: [string, boolean, boolean, string, string, string, string, string?][] = [
    // what, guest's listener, host-lo-to-ns-lo, comer, listener's target, target, source, and which address was asked if not 127.0.0.1 or ::1
    ["to the guest's address", false, false, '127.0.0.1', NONE, '192.0.2.2', NONE],
    ["to the guest's address from any of the loopback", false, false, '127.8.8.8', NONE, '192.0.2.2', NONE],
    ["to the guest's address by IPv6", false, false, '::1', NONE, '2001:db8::2', NONE],
    ["to the guest's loopback when asked for", false, true, '127.0.0.5', NONE, '127.0.0.1', NONE],
    ["to the guest's loopback by IPv6 when asked for", false, true, '::1', NONE, '::1', NONE],
    ["to the host's loopback", true, false, '127.0.0.1', NONE, '127.0.0.1', NONE],
    ["to the host's loopback, from the same address", true, false, '127.0.0.5', NONE, '127.0.0.1', '127.0.0.5'],
    ["to the same address of the host's loopback", true, false, '127.0.0.1', NONE, '127.0.0.7', NONE, '127.0.0.7'],
    ["to the host's loopback by IPv6", true, true, '::1', NONE, '::1', NONE],
    ["to the target that the guest's rule names", true, false, '127.0.0.5', '127.0.0.9', '127.0.0.9', NONE],
  ];
  for (const [what, ofGuest, guestLoopback, comer, aim, expected, from, asked] of decisions)
    it(`leads ${what}`, () => {
      setLoopbacks({ splices: true, guestLoopback });
      const family = comer.includes(':') ? 6 : 4;
      expect(crosses(ofGuest, words(comer), family, words(aim))).to.equal(true);
      const loopback = family === 4 ? '127.0.0.1' : '::1';
      expect(crossOver(ofGuest, words(comer), words(asked ?? loopback), family, words(aim))).to.equal(true);
      expect([textOf(target), textOf(source)]).to.deep.equal([expected, from]);
    });

  const others: [string, boolean, boolean, string, string][] = [
    ['who comes from another address', true, false, '192.0.2.2', NONE],
    ['who comes from another address by IPv6', true, false, '2001:db8::1', NONE],
    ["who comes to a port of the guest's from another address", true, true, '192.0.2.2', NONE],
    ["anybody where the host's rule names a target", true, false, '127.0.0.1', '192.0.2.9'],
    ['anybody when nothing is spliced', false, false, '127.0.0.1', NONE],
  ];
  for (const [what, splices, ofGuest, comer, aim] of others)
    it(`leaves to frames ${what}`, () => {
      setLoopbacks({ splices, guestLoopback: false });
      expect(crosses(ofGuest, words(comer), comer.includes(':') ? 6 : 4, words(aim))).to.equal(false);
    });

  it("knows no way for who has asked the guest's listener at another address than its loopback", () => {
    for (const asked of ['192.0.2.2', '0.0.0.0'])
      for (const aim of [NONE, '127.0.0.9'])
        expect(crossOver(true, words('127.0.0.1'), words(asked), 4, words(aim)), asked).to.equal(false);
    expect(crossOver(true, words('::1'), words('2001:db8::2'), 6, words(NONE))).to.equal(false);
  });

  it('knows no way when the guest has no address of the family', () => {
    setObserved({ guestAddress4: new Uint8Array(0), guestAddress6: new Uint8Array(0) });
    expect(crossOver(false, words('127.0.0.1'), words('127.0.0.1'), 4, words(NONE))).to.equal(false);
    setLoopbacks({ splices: true, guestLoopback: true });
    expect(crossOver(false, words('127.0.0.1'), words('127.0.0.1'), 4, words(NONE))).to.equal(true);
  });

  it('leads to the address of the guest’s loopback that was asked, when that is where it leads', () => {
    setLoopbacks({ splices: true, guestLoopback: true });
    for (const [asked, aim] of [
      ['127.0.0.1', '127.0.0.1'],
      ['127.0.0.9', '127.0.0.9'],
      ['192.0.2.2', '127.0.0.1'],
    ] as const) {
      expect(crossOver(false, words('127.0.0.1'), words(asked), 4, words(NONE))).to.equal(true);
      expect([...target], asked).to.deep.equal([...words(aim)]);
    }
  });
});
