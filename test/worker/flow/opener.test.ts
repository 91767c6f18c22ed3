/** Questions to two openers, each with a queue of its own. */
import { expect } from 'chai';
import { Verb } from '../../../shared/opener.ts';
import { EPOLLIN, EPOLLOUT } from '../../../worker/flow/watch.ts';
import { target } from '../../../worker/flow/forward.ts';
import { HOST, NAMESPACE, NO_ANSWER, OPENER_GONE, receiveAnswer, requestSocket, sendKept } from '../../../worker/flow/opener.ts';
import { UDP } from '../../../worker/flow/row.ts';
import { add, key } from '../../../worker/flow/table.ts';
import { FakeDatagram } from '../../support/fake_datagram.ts';
import { Workbench } from '../../support/workbench.ts';

describe('flow/opener', () => {
  let bench: Workbench;
  let flows: number[];

  function ask(flow: number, opener: number): boolean {
    target.set([0, 0, 0xffff, 0x7f000001]);
    return requestSocket(Verb.TCP_CONNECT, flow, 4, 0, 1000 + flow, 0, opener);
  }

  beforeEach(() => {
    bench = new Workbench();
    key.fill(0);
    flows = [1, 2, 3, 4].map((port) => add(UDP, port, 17));
  });

  it('asks the one that is meant, and knows whose answer it takes', () => {
    const { opener, namespaceOpener } = bench.kernel;
    expect(ask(flows[0]!, HOST) && ask(flows[1]!, NAMESPACE)).to.equal(true);
    expect(opener.requests.map(({ destinationPort }) => destinationPort)).to.deep.equal([1000 + flows[0]!]);
    expect(namespaceOpener.requests.map(({ destinationPort }) => destinationPort)).to.deep.equal([1000 + flows[1]!]);
    namespaceOpener.answer(0, new FakeDatagram());
    expect(receiveAnswer(HOST, false)).to.equal(NO_ANSWER);
    expect(receiveAnswer(NAMESPACE, false)).to.equal(flows[1]);
    // Nothing is outstanding there any more, while the other has yet to answer.
    expect(receiveAnswer(NAMESPACE, true)).to.equal(NO_ANSWER);
    opener.answer(0, new FakeDatagram());
    expect(receiveAnswer(HOST, true)).to.equal(flows[0]);
  });

  it('keeps what a full queue refuses, in order, and without a word to the other', () => {
    const { opener, namespaceOpener } = bench.kernel;
    namespaceOpener.room = 0;
    for (const flow of flows.slice(0, 3)) expect(ask(flow, NAMESPACE)).to.equal(true);
    expect(ask(flows[3]!, HOST)).to.equal(true);
    expect(namespaceOpener.requests).to.have.length(0);
    expect(opener.requests).to.have.length(1);
    namespaceOpener.makeRoom(2);
    sendKept(NAMESPACE);
    sendKept(HOST);
    namespaceOpener.makeRoom(2);
    sendKept(NAMESPACE);
    expect(namespaceOpener.requests.map(({ destinationPort }) => destinationPort - 1000)).to.deep.equal(flows.slice(0, 3));
    expect(opener.requests).to.have.length(1);
  });

  it('waits for room only while something is kept', () => {
    const { namespaceOpener, namespaceOpenerFd } = bench.kernel;
    namespaceOpener.room = 0;
    ask(flows[0]!, NAMESPACE);
    expect(bench.kernel.watchedFor(namespaceOpenerFd)).to.equal(EPOLLIN | EPOLLOUT);
    namespaceOpener.makeRoom(1);
    sendKept(NAMESPACE);
    expect(bench.kernel.watchedFor(namespaceOpenerFd)).to.equal(EPOLLIN);
  });

  it('tells when one is gone', () => {
    bench.kernel.namespaceOpener.gone = true;
    expect(receiveAnswer(HOST, false)).to.equal(NO_ANSWER);
    expect(receiveAnswer(NAMESPACE, false)).to.equal(OPENER_GONE);
  });
});
