/** When a change of the host's network is told. Time is that of the test: no timer fires by itself. */
import { expect } from 'chai';
import { NetlinkError } from '../../supervisor/host/netlink.ts';
import { NetworkWatch } from '../../supervisor/host/network-watch.ts';
import { FakeKernel } from '../support/fake_rtnetlink.ts';

const SOCKET = 9;
const EMSGSIZE = 90;
const ENOBUFS = 105;
const EBADF = 9;

/** A kernel whose notifications are the numbers in `said`. */
class Bench extends FakeKernel {
  readonly groups: number[] = [];
  readonly closed: number[] = [];
  said: number[] = [];
  isWatched = false;
  tells = 0;
  refuses = false;
  #readable: () => void = () => {};

  constructor() {
    super({ links: [{ index: 1, name: 'lo' }] });
  }

  netlinkSocket(): number {
    return SOCKET;
  }

  setSocketOption(_fd: number, _level: number, _name: number, value: number): number {
    // The kernel leaves out of its groups a socket that has sent nothing yet.
    expect(this.datagrams).to.be.above(0);
    if (this.refuses) return -1;
    this.groups.push(value);
    return 0;
  }

  override receive(): never {
    return (this.queue.shift() ?? this.said.shift() ?? null) as never;
  }

  watch(_fd: number, readable: () => void): { stop(): void } {
    this.isWatched = true;
    this.#readable = readable;
    return {
      stop: () => {
        this.isWatched = false;
      },
    };
  }

  close(fd: number): number {
    this.closed.push(fd);
    return 0;
  }

  hear(...said: number[]): void {
    this.said = said;
    this.#readable();
  }
}

/** Resolves once `changed` was called. */
function watched(bench: Bench): { watch: NetworkWatch; told: Promise<void> } {
  let tell: () => void;
  const told = new Promise<void>((resolve) => (tell = resolve));
  const watch = new NetworkWatch(bench, () => {
    bench.tells++;
    tell();
  });
  return { watch, told };
}

describe('supervisor/host/network-watch', () => {
  it('joins the groups of links, addresses and routes', () => {
    const bench = new Bench();
    watched(bench).watch.stop();
    expect(bench.groups).to.eql([1, 5, 7, 9, 11]);
  });

  it('tells once of many messages, lost ones too', async () => {
    const bench = new Bench();
    const { watch, told } = watched(bench);
    bench.hear(-EMSGSIZE, -EMSGSIZE, -ENOBUFS, -EMSGSIZE);
    bench.hear(-EMSGSIZE);
    expect(bench.said).to.eql([]);
    expect(bench.tells).to.equal(0);
    await told;
    expect(bench.tells).to.equal(1);
    watch.stop();
  });

  it('tells nothing after its stop, which gives everything back', async () => {
    const bench = new Bench();
    const { watch } = watched(bench);
    const other = watched(new Bench());
    bench.hear(-EMSGSIZE);
    watch.stop();
    watch.stop();
    other.watch.notice();
    await other.told;
    other.watch.stop();
    expect([bench.tells, bench.isWatched, bench.closed]).to.eql([0, false, [SOCKET]]);
  });

  it('ends when its socket does', () => {
    const bench = new Bench();
    watched(bench);
    bench.hear(-EBADF);
    expect([bench.isWatched, bench.closed]).to.eql([false, [SOCKET]]);
  });

  it('leaves nothing open when the kernel refuses', () => {
    const bench = new Bench();
    bench.refuses = true;
    expect(() => watched(bench)).to.throw(NetlinkError);
    expect(bench.closed).to.eql([SOCKET]);
  });
});
