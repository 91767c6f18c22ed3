/** A spliced connection on the bench: the socket that came, and the one that the worker had made for it. */
import { source, target } from '../../worker/flow/forward.ts';
import { spliceConnection } from '../../worker/splice/connection.ts';
import { GUEST_SIDE, HOST_SIDE } from '../../worker/splice/row.ts';
import { FakeStream } from './fake_stream.ts';
import type { Workbench } from './workbench.ts';

export class SplicedPair {
  readonly bench: Workbench;
  readonly came = new FakeStream();
  readonly made = new FakeStream();

  /** Somebody has connected to a listener of `side`. */
  constructor(bench: Workbench, side: number = HOST_SIDE) {
    this.bench = bench;
    this.came.connected = true;
    target.set([0, 0, 0xffff, 0xc0000202 | 0]);
    source.fill(0);
    spliceConnection(side, bench.kernel.install(this.came), 4, 8080);
    this.opener = side === GUEST_SIDE ? bench.kernel.opener : bench.kernel.namespaceOpener;
  }

  readonly opener;

  /** The opener makes the other socket, which has yet to connect. */
  answer(): this {
    this.opener.answer(0, this.made);
    this.bench.settle();
    return this;
  }

  /** And it connects. */
  connect(): this {
    this.answer();
    this.made.accept();
    this.bench.settle();
    return this;
  }
}
