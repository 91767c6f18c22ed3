/** Datagrams from loopback to loopback, from a listener on. */
import { expect } from 'chai';
import { parseAddress } from '../../../shared/addresses.ts';
import { Verb } from '../../../shared/opener.ts';
import { flowCount } from '../../../worker/flow/table.ts';
import { setLoopbacks } from '../../../worker/flow/loopback.ts';
import { closeListeners, openListener } from '../../../worker/listener.ts';
import { FakeDatagram } from '../../support/fake_datagram.ts';
import { ECONNREFUSED } from '../../support/fake_file.ts';
import type { FakeOpener } from '../../support/fake_opener.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { type BenchOptions, Workbench } from '../../support/workbench.ts';

const ID = 7;
const PORT = 5300;
const TARGET_PORT = 53;
const ASKER = 40_000;

function address(text: string): Uint8Array {
  return parseAddress(text) as Uint8Array;
}

/** A listener, who asks it, and the two sockets that the worker has made for him. */
class Setting {
  readonly bench: Workbench;
  readonly listener = new FakeDatagram();
  /** Connected to who asked; and on the other side. */
  readonly near = new FakeDatagram();
  readonly far = new FakeDatagram();
  readonly nearOpener: FakeOpener;
  readonly farOpener: FakeOpener;

  constructor(guest = false, options: BenchOptions = {}) {
    this.bench = new Workbench(options);
    setLoopbacks({ splices: true, guestLoopback: false });
    const { kernel } = this.bench;
    this.nearOpener = guest ? kernel.namespaceOpener : kernel.opener;
    this.farOpener = guest ? kernel.opener : kernel.namespaceOpener;
    openListener(
      { id: ID, protocol: 17, guest, port: PORT, targetPort: TARGET_PORT, target: new Uint8Array(0) },
      kernel.install(this.listener),
    );
  }

  ask(bytes: Uint8Array, from = '127.0.0.1', to = '127.0.0.1', port = ASKER): void {
    this.listener.comeFrom({ address: address(from), port, to: address(to) }, bytes);
    this.bench.settle();
  }

  open(): this {
    this.farOpener.answer(ASKER, this.far);
    this.nearOpener.answer(PORT, this.near);
    this.bench.settle();
    return this;
  }
}

describe('splice/datagram', () => {
  afterEach(() => closeListeners([ID]));

  it('asks for a socket on either side: the target from the asker’s port, and back from where it was asked', () => {
    for (const guest of [false, true]) {
      const setting = new Setting(guest);
      setting.ask(pattern(10), '127.0.0.5', '127.0.0.9');
      const [across] = setting.farOpener.requests;
      expect(across).to.include({ verb: Verb.UDP_CONNECT, sourcePort: ASKER, destinationPort: TARGET_PORT });
      expect([...across!.destination].slice(12)).to.deep.equal(guest ? [127, 0, 0, 9] : [192, 0, 2, 2]);
      expect([...across!.source].slice(12)).to.deep.equal([0, 0, 0, 0]);
      const [back] = setting.nearOpener.requests;
      expect(back).to.include({ verb: Verb.UDP_CONNECT, sourcePort: PORT, destinationPort: ASKER });
      expect([...back!.destination].slice(12)).to.deep.equal([127, 0, 0, 5]);
      expect([...back!.source].slice(12)).to.deep.equal([127, 0, 0, 9]);
      closeListeners([ID]);
    }
  });

  it('sends what waited for the socket in its order, then what comes, and the answers back', () => {
    const setting = new Setting();
    setting.ask(pattern(10));
    setting.ask(pattern(20, 1));
    setting.open();
    setting.near.answer(pattern(30, 2));
    setting.bench.settle();
    expect(setting.far.sent).to.deep.equal([pattern(10), pattern(20, 1), pattern(30, 2)]);
    setting.far.answer(pattern(40, 3));
    setting.bench.settle();
    expect(setting.near.sent).to.deep.equal([pattern(40, 3)]);
    expect(setting.bench.counter('spliced_datagrams')).to.equal(4);
  });

  it('lets answers wait until there is a socket to send them by', () => {
    const setting = new Setting();
    setting.ask(pattern(10));
    setting.farOpener.answer(ASKER, setting.far);
    setting.bench.settle();
    setting.far.answer(pattern(11));
    setting.bench.settle();
    setting.nearOpener.answer(PORT, setting.near);
    setting.bench.settle();
    expect(setting.near.sent).to.deep.equal([pattern(11)]);
  });

  it('is heard by the listener, and by its own socket, until that is connected, in order and apart from others', () => {
    const setting = new Setting();
    setting.ask(pattern(1, 1));
    setting.farOpener.answer(ASKER, setting.far);
    setting.bench.settle();
    setting.listener.comeFrom({ address: address('127.0.0.1'), port: ASKER, to: address('127.0.0.1') }, pattern(1, 2));
    setting.near.comeFrom({ address: address('127.0.0.1'), port: ASKER, to: new Uint8Array(16) }, pattern(1, 3));
    setting.near.comeFrom({ address: address('127.0.0.1'), port: ASKER + 1, to: new Uint8Array(16) }, pattern(1, 9));
    setting.nearOpener.answer(PORT, setting.near);
    setting.bench.settle();
    expect(setting.far.sent).to.deep.equal([pattern(1, 1), pattern(1, 2), pattern(1, 3)]);
    const [other] = setting.farOpener.requests;
    expect(other?.sourcePort).to.equal(ASKER + 1);
    expect([...setting.nearOpener.requests[0]!.source].slice(12)).to.deep.equal([127, 0, 0, 1]);
  });

  it('keeps askers apart by address, port and address asked', () => {
    const setting = new Setting();
    setting.ask(pattern(1));
    setting.ask(pattern(1), '127.0.0.2');
    setting.ask(pattern(1), '127.0.0.1', '127.0.0.2');
    setting.ask(pattern(1), '127.0.0.1', '127.0.0.1', ASKER + 1);
    setting.ask(pattern(1));
    expect(setting.farOpener.requests).to.have.length(4);
    expect(setting.bench.flows()).to.equal(8);
  });

  it("does not take the guest's own address for its loopback", () => {
    const setting = new Setting(true);
    setting.ask(pattern(1), '127.0.0.1', '192.0.2.2');
    expect(setting.bench.flows()).to.equal(0);
    expect(setting.bench.counter('spliced_datagrams_dropped')).to.equal(1);
  });

  it('sends datagrams that are equally long by one call, with their borders, whatever their lengths', () => {
    const setting = new Setting();
    setting.ask(pattern(5));
    setting.open();
    const lengths = [100, 100, 100, 40, 100, 100, 200, 0, 0, 200, 1, 1472, 1472, 60_000, 60_000, 65_507, 7];
    const sent = lengths.map((length, index) => pattern(length, index));
    for (const bytes of sent) setting.near.answer(bytes);
    setting.bench.settle();
    expect(setting.far.sent.slice(1)).to.deep.equal(sent);
    expect(setting.far.calls.length).to.be.below(lengths.length - 3);
  });

  it('passes on what the kernel has joined, and more than one call carries', () => {
    const setting = new Setting();
    setting.ask(pattern(5));
    setting.open();
    setting.far.answer(pattern(950), 100);
    setting.far.answer(pattern(300, 7), 100);
    setting.far.answer(pattern(640, 9), 8);
    setting.far.answer(pattern(80, 10), 8);
    setting.bench.settle();
    const cut = (bytes: Uint8Array, size: number): Uint8Array[] =>
      Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.slice(at * size, (at + 1) * size));
    const all = [...cut(pattern(950), 100), ...cut(pattern(300, 7), 100), ...cut(pattern(640, 9), 8), ...cut(pattern(80, 10), 8)];
    expect(setting.near.sent).to.deep.equal(all);
    expect(setting.bench.counter('spliced_datagrams_dropped')).to.equal(0);
  });

  it('goes on behind an error that an earlier datagram has met', () => {
    const setting = new Setting();
    setting.ask(pattern(5));
    setting.open();
    const offender = address('127.0.0.1');
    setting.far.fail({ errno: ECONNREFUSED, origin: 2, type: 3, code: 3, info: 0, offender, payload: pattern(5) });
    setting.near.answer(pattern(6));
    setting.bench.settle();
    setting.far.answer(pattern(7));
    setting.bench.settle();
    expect(setting.far.sent).to.deep.equal([pattern(5), pattern(6)]);
    expect(setting.near.sent).to.deep.equal([pattern(7)]);
  });

  it('ends with its listener, as a pair, and only then', () => {
    for (const isOpen of [true, false]) {
      const setting = new Setting();
      setting.ask(pattern(10));
      if (isOpen) setting.open();
      closeListeners([ID + 1]);
      expect(flowCount).to.equal(2);
      closeListeners([ID]);
      expect(flowCount).to.equal(0);
      if (!isOpen) setting.open();
      expect([setting.near.closed, setting.far.closed]).to.deep.equal([true, true]);
    }
  });

  it('ends when either socket can’t be had', () => {
    for (const [failing, other] of [
      ['farOpener', 'nearOpener'],
      ['nearOpener', 'farOpener'],
    ] as const) {
      const setting = new Setting();
      setting.ask(pattern(5));
      setting[failing].answer(-ECONNREFUSED, null);
      setting.bench.settle();
      setting[other].answer(1, setting.far);
      setting.bench.settle();
      expect(setting.far.closed).to.equal(true);
      closeListeners([ID]);
      setting.bench.expectNothingLeft();
    }
  });

  it('ends after a short silence without an answer, after a longer one with, and is kept by what either says', () => {
    const setting = new Setting(false, { udpTimeouts: { unanswered: 1000, answered: 5000 } });
    setting.ask(pattern(5));
    setting.open();
    setting.bench.advance(900);
    setting.near.answer(pattern(1));
    setting.bench.settle();
    setting.bench.advance(900);
    expect(setting.near.closed).to.equal(false);
    setting.far.answer(pattern(1));
    setting.bench.settle();
    setting.bench.advance(4900);
    expect(setting.near.closed).to.equal(false);
    setting.bench.advance(200);
    expect([setting.near.closed, setting.far.closed]).to.deep.equal([true, true]);
    closeListeners([ID]);
    setting.bench.expectNothingLeft();
  });

  it('is dropped when there is no room for it, or the guest has no such address', () => {
    const full = new Setting(false, { flows: 3 });
    full.ask(pattern(5));
    full.ask(pattern(5), '127.0.0.1', '127.0.0.1', ASKER + 1);
    expect(full.bench.flows()).to.equal(2);
    expect(full.bench.counter('spliced_datagrams_dropped')).to.equal(1);
  });

  it('makes room while nobody has answered, the longest silent first, with both sockets', () => {
    const setting = new Setting(false, { flows: 8, descriptors: 5 });
    setting.ask(pattern(1));
    setting.open();
    const second = { near: new FakeDatagram(), far: new FakeDatagram() };
    setting.ask(pattern(2), '127.0.0.1', '127.0.0.1', ASKER + 1);
    setting.farOpener.answer(ASKER + 1, second.far);
    setting.nearOpener.answer(PORT, second.near);
    setting.bench.settle();
    expect(flowCount).to.equal(4);
    setting.near.answer(pattern(3));
    setting.bench.settle();

    setting.ask(pattern(4), '127.0.0.1', '127.0.0.1', ASKER + 2);
    expect([setting.near, setting.far, second.near, second.far].map(({ closed }) => closed)).to.deep.equal([false, false, true, true]);
    expect([setting.bench.counter('flows_displaced'), setting.bench.counter('spliced_flows_ended'), flowCount]).to.deep.equal([1, 1, 4]);
    const third = { near: new FakeDatagram(), far: new FakeDatagram() };
    setting.farOpener.answer(ASKER + 2, third.far);
    setting.nearOpener.answer(PORT, third.near);
    setting.bench.settle();
    for (const answered of [setting.far, third.far]) answered.answer(pattern(5));
    setting.bench.settle();
    setting.ask(pattern(6), '127.0.0.1', '127.0.0.1', ASKER + 3);
    expect([flowCount, setting.bench.counter('flows_displaced')], 'who was answered stays').to.deep.equal([4, 1]);
  });
});
