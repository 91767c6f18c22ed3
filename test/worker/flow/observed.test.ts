/** Under which address the guest is known. */
import { expect } from 'chai';
import { formatAddress, parseAddress } from '../../../shared/addresses.ts';
import { addressGuest, observe } from '../../../worker/flow/observed.ts';
import { key, KEY_GUEST } from '../../../worker/flow/table.ts';
import { Workbench } from '../../support/workbench.ts';

function speakFrom(text: string): void {
  const view = new DataView((parseAddress(text) as Uint8Array).slice().buffer);
  for (let word = 0; word < 4; word++) key[KEY_GUEST + word] = view.getInt32(4 * word);
  observe(text.includes(':') ? 6 : 4);
}

function reached(family: number, fromLink = false): string {
  if (!addressGuest(family, fromLink)) return 'nobody';
  const bytes = new Uint8Array(16);
  for (let word = 0; word < 4; word++) new DataView(bytes.buffer).setInt32(4 * word, key[KEY_GUEST + word]!);
  return formatAddress(bytes);
}

describe('worker/flow/observed', () => {
  beforeEach(() => void new Workbench());

  it('is the one that was given, until the guest speaks from another', () => {
    expect([reached(4), reached(6), reached(6, true)]).to.deep.equal(['192.0.2.2', '2001:db8::2', '2001:db8::2']);
    speakFrom('10.1.1.1');
    speakFrom('2001:db8:0:1::7');
    expect([reached(4), reached(6), reached(6, true)]).to.deep.equal(['10.1.1.1', '2001:db8:0:1::7', '2001:db8:0:1::7']);
  });

  it('is another one whichever part of the address differs: the same identifier may be in two networks of one provider', () => {
    for (const address of ['2001:db8:0:5::7', '2001:db8:0:6::7', '2001:db8:1:6::7', '2001:db8:1:6:9::7', '2002:db8:1:6:9::7']) {
      speakFrom(address);
      expect(reached(6)).to.equal(address);
    }
  });

  it('is the link-local one for who comes from the link', () => {
    speakFrom('fe80::7');
    expect([reached(6, true), reached(6)]).to.deep.equal(['fe80::7', '2001:db8::2']);
  });

  it('is none that nobody can have', () => {
    for (const address of ['0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255', '::', '::1', 'ff02::1']) speakFrom(address);
    expect([reached(4), reached(6), reached(6, true)]).to.deep.equal(['192.0.2.2', '2001:db8::2', '2001:db8::2']);
  });
});
