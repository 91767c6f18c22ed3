/** The loop: what ends it, what it survives, and that it sleeps when there is nothing to do. */
import { expect } from 'chai';
import { MessageId } from '../../shared/messages.ts';
import { EIO } from '../support/fake_file.ts';
import { buildDatagram } from '../support/guest_frame.ts';
import { pattern } from '../support/tcp_dialogue.ts';
import { ENDS4, Workbench } from '../support/workbench.ts';

/** Runs with the process's end caught; the exit code, undefined when it went on. */
function exitCode(act: () => void): number | undefined {
  const leaving = process as unknown as { reallyExit(code: number): void };
  const { reallyExit } = leaving;
  let code: number | undefined;
  leaving.reallyExit = (given) => {
    code ??= given;
    throw new Error('left');
  };
  try {
    act();
  } catch (error) {
    if ((error as Error).message !== 'left') throw error;
  } finally {
    leaving.reallyExit = reallyExit;
  }
  return code;
}

describe('worker/loop', () => {
  it('sleeps without end when nothing is to be done, and until the next timer when there is one', () => {
    const bench = new Workbench();
    expect(bench.wait()).to.equal(-1);
    bench.deliver(buildDatagram(ENDS4, 1, 2, pattern(3)));
    const wait = bench.wait();
    expect(wait).to.be.greaterThan(0);
    expect(wait).to.be.at.most(30_000);
  });

  it('ends with code 4 when the opener is gone', () => {
    const bench = new Workbench();
    bench.kernel.opener.gone = true;
    bench.kernel.opener.wake(0);
    expect(exitCode(() => bench.settle())).to.equal(4);
  });

  it('lets go of a tap that fails, tells of it, and does not spin', () => {
    const bench = new Workbench();
    bench.kernel.tap.readError = EIO;
    bench.kernel.tap.wake(0);
    bench.settle();
    expect(bench.kernel.channel.logged(MessageId.TAP_GONE)).to.deep.equal([[EIO]]);
    expect(bench.wait()).to.equal(-1);
  });

  it('a channel that is full loses no log line', () => {
    const bench = new Workbench({ flows: 1 });
    bench.kernel.channel.full = true;
    for (const port of [1, 2, 3]) bench.deliver(buildDatagram(ENDS4, port, 2, pattern(3)));
    expect(bench.kernel.channel.said).to.have.length(0);
    bench.kernel.channel.full = false;
    bench.turn();
    expect(bench.kernel.channel.logged(MessageId.FLOW_LIMIT)).to.have.length(1);
  });

  it('takes frames in several batches of one turn, but lets a flood wait', () => {
    const bench = new Workbench({ flows: 1000, descriptors: 1000 });
    for (let port = 1; port <= 300; port++) bench.kernel.tap.send(buildDatagram(ENDS4, port, 2, pattern(3)));
    bench.turn();
    const first = bench.counter('frames_from_guest');
    expect(first).to.be.lessThan(300);
    bench.settle();
    expect(bench.counter('frames_from_guest')).to.equal(300);
  });

  it('ends more flows at one moment than fit into one list', () => {
    const bench = new Workbench({ flows: 3000, descriptors: 3000 });
    for (let port = 1; port <= 2500; port++) bench.kernel.tap.send(buildDatagram(ENDS4, port, 2, pattern(1)));
    bench.settle();
    expect(bench.flows()).to.equal(2500);
    bench.advance(31_000);
    expect(bench.flows()).to.equal(0);
  });
});
