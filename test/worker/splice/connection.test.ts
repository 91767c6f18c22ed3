/** How a spliced connection begins and ends, and what becomes of its bytes on the way. */
import { expect } from 'chai';
import { Verb } from '../../../shared/opener.ts';
import { learnFromLooks, LOOKS } from '../../../worker/patience.ts';
import { GUEST_SIDE } from '../../../worker/splice/row.ts';
import { COPY_LENGTH, PIPES } from '../../../worker/splice/pipes.ts';
import { ECONNREFUSED, ECONNRESET } from '../../support/fake_file.ts';
import { FAKE_PIPE_SIZE as PIPE_SIZE } from '../../support/fake_pipe.ts';
import type { FakeStream } from '../../support/fake_stream.ts';
import { SplicedPair } from '../../support/spliced_pair.ts';
import { pattern } from '../../support/tcp_dialogue.ts';
import { type BenchOptions, Workbench } from '../../support/workbench.ts';

const ENDLESS = Number.MAX_SAFE_INTEGER;

describe('splice/connection', () => {
  let bench: Workbench;

  function begin(options: BenchOptions = {}): SplicedPair {
    bench = new Workbench(options);
    return new SplicedPair(bench).connect();
  }

  /** Both ends say that they are done, and nothing is left. */
  function finish({ came, made }: SplicedPair): void {
    came.end();
    made.end();
    bench.settle();
    came.read(ENDLESS);
    made.read(ENDLESS);
    bench.settle();
    bench.expectNothingLeft();
  }

  function expectReset(...streams: FakeStream[]): void {
    for (const stream of streams) expect([stream.closed, stream.farSawReset]).to.deep.equal([true, true]);
    bench.expectNothingLeft();
  }

  describe('its beginning', () => {
    it("asks the opener of the other side for a connection to the target, without the client's port", () => {
      bench = new Workbench();
      const { opener } = new SplicedPair(bench);
      const [request] = opener.requests;
      expect(request).to.include({ verb: Verb.TCP_CONNECT, family: 4, destinationPort: 8080, sourcePort: 0 });
      expect([...(request?.destination ?? [])].slice(12)).to.deep.equal([192, 0, 2, 2]);
      expect(bench.kernel.opener.requests).to.have.length(0);
      const outward = new SplicedPair(bench, GUEST_SIDE);
      expect(outward.opener).to.equal(bench.kernel.opener);
      expect(outward.opener.requests).to.have.length(1);
    });

    it('reads nothing before the other socket is connected, and then what has come meanwhile', () => {
      bench = new Workbench();
      const pair = new SplicedPair(bench);
      pair.came.write(pattern(100));
      bench.settle();
      pair.answer();
      expect(pair.came.taken).to.equal(0);
      pair.made.accept();
      bench.settle();
      pair.made.read(ENDLESS);
      expect(pair.made.farReceived.take(ENDLESS)).to.deep.equal(pattern(100));
      finish(pair);
    });

    it('resets who came when nobody listens, or the opener refuses', () => {
      bench = new Workbench();
      const late = new SplicedPair(bench).answer();
      late.made.refuse(ECONNREFUSED);
      bench.settle();
      expectReset(late.came);
      bench = new Workbench();
      const early = new SplicedPair(bench);
      early.opener.answer(-ECONNREFUSED, null);
      bench.settle();
      expectReset(early.came);
    });

    it('gives up when who came goes away before', () => {
      bench = new Workbench();
      const pair = new SplicedPair(bench).answer();
      pair.came.reset();
      bench.settle();
      expect(pair.made.closed).to.equal(true);
      bench.expectNothingLeft();
      bench = new Workbench();
      const unanswered = new SplicedPair(bench);
      unanswered.came.reset();
      bench.settle();
      unanswered.answer();
      expect(unanswered.made.closed).to.equal(true);
      bench.expectNothingLeft();
    });

    it('refuses when the flow table has no room for two sockets, or the opener no room for a question', () => {
      bench = new Workbench({ flows: 3 });
      const first = new SplicedPair(bench).connect();
      const second = new SplicedPair(bench);
      expect([second.came.closed, second.came.farSawReset]).to.deep.equal([true, true]);
      finish(first);
      bench = new Workbench({ flows: 4096 });
      bench.kernel.namespaceOpener.room = 0;
      const pairs = Array.from({ length: 1025 }, () => new SplicedPair(bench));
      expect(pairs.map(({ came }) => came.closed).indexOf(true)).to.equal(1024);
    });
  });

  describe('its bytes', () => {
    it('go both ways, whatever their number', () => {
      const pair = begin();
      for (const length of [1, 100, COPY_LENGTH - 1, COPY_LENGTH, COPY_LENGTH + 1, PIPE_SIZE, 3 * PIPE_SIZE + 5]) {
        pair.made.sendBuffer = pair.came.sendBuffer = 4 * length + 4096;
        pair.came.write(pattern(length));
        pair.made.write(pattern(length, 7));
        bench.settle();
        pair.made.read(ENDLESS);
        pair.came.read(ENDLESS);
        expect(pair.made.farReceived.take(ENDLESS), `${length} bytes`).to.deep.equal(pattern(length));
        expect(pair.came.farReceived.take(ENDLESS), `${length} bytes`).to.deep.equal(pattern(length, 7));
      }
      expect(bench.counter('spliced_without_pipe')).to.equal(0);
      finish(pair);
    });

    it('are copied while there are few, by two calls, and spliced while there are many', () => {
      const pair = begin();
      const before = new Map(bench.kernel.calls);
      pair.came.write(pattern(100));
      bench.settle();
      const calls = (name: string): number => (bench.kernel.calls.get(name) ?? 0) - (before.get(name) ?? 0);
      expect([calls('receive'), calls('send'), calls('splice'), calls('discard')]).to.deep.equal([1, 1, 0, 0]);
      pair.came.write(pattern(PIPE_SIZE));
      pair.made.sendBuffer = 4 * PIPE_SIZE;
      bench.settle();
      expect(calls('splice')).to.be.greaterThan(0);
      finish(pair);
    });

    it('hold the sender back while the reader is slow, and no more than a pipe of them is taken', () => {
      const pair = begin();
      pair.came.write(pattern(8 * PIPE_SIZE));
      bench.settle();
      const { sendBuffer, overhead } = pair.made;
      expect(pair.came.taken).to.be.at.most(sendBuffer / overhead + PIPE_SIZE + COPY_LENGTH);
      for (let reads = 0; pair.made.farReceived.length < 8 * PIPE_SIZE; reads++) {
        expect(reads).to.be.below(1000);
        pair.made.read(20_000);
        bench.settle();
      }
      expect(pair.made.farReceived.take(ENDLESS)).to.deep.equal(pattern(8 * PIPE_SIZE));
      finish(pair);
    });

    it('need no pipe: without one they are copied, and none is lost or told twice', () => {
      const pair = begin({ pipes: 0 });
      const length = 5 * COPY_LENGTH + 3;
      pair.came.write(pattern(length));
      bench.settle();
      expect(bench.counter('spliced_without_pipe')).to.be.greaterThan(0);
      while (pair.made.farReceived.length < length) {
        pair.made.read(10_000);
        bench.settle();
      }
      expect(pair.made.farReceived.take(ENDLESS)).to.deep.equal(pattern(length));
      finish(pair);
    });

    it('of others move on when readers that are stalled keep all pipes', () => {
      bench = new Workbench({ flows: 4 * PIPES });
      const stalled = Array.from({ length: PIPES }, () => new SplicedPair(bench).connect());
      for (const { came } of stalled) came.write(pattern(4 * PIPE_SIZE));
      bench.settle();
      const other = new SplicedPair(bench).connect();
      other.came.write(pattern(3 * COPY_LENGTH));
      bench.settle();
      other.made.read(ENDLESS);
      bench.settle();
      other.made.read(ENDLESS);
      expect(other.made.farReceived.take(ENDLESS)).to.deep.equal(pattern(3 * COPY_LENGTH));
      expect(bench.counter('spliced_without_pipe')).to.be.greaterThan(0);
      for (const { came } of stalled) came.reset();
      bench.settle();
      finish(other);
    });

    for (const many of [100, 4 * COPY_LENGTH])
      it(`pass by an urgent byte, which stays in its place, among ${many}`, () => {
        const pair = begin();
        pair.made.sendBuffer = 1 << 22;
        // The direction is one of many bytes already.
        pair.came.write(pattern(4 * COPY_LENGTH));
        bench.settle();
        pair.made.read(ENDLESS);
        pair.made.farReceived.take(ENDLESS);
        pair.came.urgentMark = pair.came.taken + many;
        pair.came.write(pattern(2 * many));
        bench.settle();
        pair.came.end();
        bench.settle();
        pair.made.read(ENDLESS);
        expect(pair.made.farReceived.take(ENDLESS)).to.deep.equal(pattern(2 * many));
        expect(pair.made.farSawEnd).to.equal(true);
        finish(pair);
      });

    it('do not end at an urgent byte that comes with the end of the stream', () => {
      const pair = begin();
      pair.made.sendBuffer = 1 << 22;
      pair.came.urgentMark = 4 * COPY_LENGTH;
      pair.came.write(pattern(4 * COPY_LENGTH + 10));
      pair.came.end();
      bench.settle();
      pair.made.read(ENDLESS);
      expect(pair.made.farReceived.length).to.equal(4 * COPY_LENGTH + 10);
      finish(pair);
    });

    it('have the worker sleep until there are more, when they are many: whoever sends and reads needs the processors', () => {
      const pair = begin();
      const waits = (length: number): number => {
        for (let event = 0; event < LOOKS; event++) learnFromLooks(1);
        pair.made.read(ENDLESS);
        pair.came.write(pattern(length));
        bench.settle();
        const before = bench.kernel.calls.get('epollWait') ?? 0;
        bench.turn();
        return (bench.kernel.calls.get('epollWait') ?? 0) - before;
      };
      expect(waits(100)).to.be.greaterThan(LOOKS);
      expect(waits(4 * COPY_LENGTH)).to.equal(1);
      finish(pair);
    });

    it('of one connection leave the others their turns', () => {
      bench = new Workbench();
      const busy = new SplicedPair(bench).connect();
      busy.made.sendBuffer = 1 << 26;
      busy.came.write(pattern(1 << 24));
      bench.turn();
      expect(busy.came.taken).to.be.below(1 << 23);
      bench.settle();
      expect(busy.came.taken).to.equal(1 << 24);
      finish(busy);
    });
  });

  describe('its end', () => {
    it('is told to the other side when all before it is written, and each stream ends by itself', () => {
      const pair = begin();
      pair.came.write(pattern(PIPE_SIZE));
      pair.came.end();
      bench.settle();
      expect(pair.made.farSawEnd).to.equal(false);
      while (!pair.made.farSawEnd) {
        pair.made.read(30_000);
        bench.settle();
      }
      expect(pair.made.farReceived.take(ENDLESS)).to.deep.equal(pattern(PIPE_SIZE));
      pair.made.write(pattern(500));
      bench.settle();
      pair.came.read(ENDLESS);
      expect(pair.came.farReceived.take(ENDLESS)).to.deep.equal(pattern(500));
      expect([pair.came.closed, pair.came.farSawEnd]).to.deep.equal([false, false]);
      pair.made.end();
      bench.settle();
      pair.came.read(ENDLESS);
      expect([pair.came.closed, pair.came.farSawEnd, pair.came.farSawReset]).to.deep.equal([true, true, false]);
      expect([pair.made.closed, pair.made.farSawReset]).to.deep.equal([true, false]);
      bench.expectNothingLeft();
    });

    it('is seen that comes together with the last bytes', () => {
      const pair = begin();
      pair.came.write(pattern(10));
      pair.came.end();
      bench.settle();
      pair.made.read(ENDLESS);
      expect(pair.made.farSawEnd).to.equal(true);
      finish(pair);
    });

    it('by a reset is one for both sides, after what was said before', () => {
      const pair = begin();
      pair.made.write(pattern(100));
      pair.made.reset();
      bench.settle();
      expect(pair.came.farSawReset).to.equal(true);
      expect(pair.made.closed).to.equal(true);
      bench.expectNothingLeft();
      const other = begin();
      other.came.reset();
      bench.settle();
      expect([other.made.farSawReset, other.came.closed]).to.deep.equal([true, true]);
      bench.expectNothingLeft();
    });

    it('by a reset ends one whose bytes wait in a pipe, which is used by others after it', () => {
      bench = new Workbench({ flows: 8 * PIPES });
      for (let round = 0; round < 2; round++) {
        const stalled = Array.from({ length: PIPES }, () => new SplicedPair(bench).connect());
        for (const { came } of stalled) came.write(pattern(4 * PIPE_SIZE));
        bench.settle();
        for (const { made } of stalled) made.reset();
        bench.settle();
        expect(stalled.every(({ came }) => came.closed && came.farSawReset)).to.equal(true);
        expect(bench.flows()).to.equal(0);
      }
      bench.expectNothingLeft();
      expect(bench.counter('spliced_without_pipe')).to.equal(0);
    });

    it('comes when nothing has moved for the time of a connection, and sooner when half of it is closed', () => {
      const pair = begin({ timeouts: { idle: 60_000, halfClosed: 10_000 } });
      bench.advance(50_000);
      pair.came.write(pattern(1));
      bench.settle();
      bench.advance(50_000);
      expect(pair.came.closed).to.equal(false);
      bench.advance(10_001);
      expect(pair.came.closed).to.equal(true);
      expect(bench.counter('tcp_expired')).to.equal(1);
      const half = begin({ timeouts: { idle: 60_000, halfClosed: 10_000 } });
      half.came.end();
      bench.settle();
      bench.advance(10_001);
      expectReset(half.came, half.made);
      const patient = begin({ timeouts: { idle: 0, halfClosed: 0 } });
      bench.advance(3_600_000);
      finish(patient);
    });

    it('comes when the connection fails to say that it is over', () => {
      const pair = begin();
      bench.kernel.failNext('shutdown', ECONNRESET);
      pair.came.end();
      bench.settle();
      expectReset(pair.came, pair.made);
    });
  });
});
