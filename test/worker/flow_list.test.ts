/** The list of flows: every kind, in pages, and states in the words of RFC 9293. */
import { expect } from 'chai';
import { FLOW_STATES } from '../../shared/flow-state.ts';
import { FLOWS_PER_PAGE, ROWS_PER_PAGE } from '../../shared/limits.ts';
import { add, key, remove } from '../../worker/flow/table.ts';
import { FD, FLAGS, PING, ROW, rows, UDP } from '../../worker/flow/row.ts';
import { listFlows } from '../../worker/flow_list.ts';
import { GUEST_SIDE } from '../../worker/splice/row.ts';
import { connecting, established, hostFin, sendFin, synReceived, synSent, timeWait } from '../rfc/states.ts';
import { SplicedPair } from '../support/spliced_pair.ts';
import { type Dialogue, FAR_PORT, GUEST_PORT } from '../support/tcp_dialogue.ts';
import { Workbench } from '../support/workbench.ts';

const LOOPBACK = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1];

function only(): NonNullable<ReturnType<typeof listFlows>['flows']>[number] {
  const { next, flows } = listFlows(0);
  expect(next).to.equal(0);
  expect(flows).to.have.length(1);
  return (flows as NonNullable<typeof flows>)[0] as (typeof flows & object)[number];
}

const stateNow = (): string | undefined => FLOW_STATES.get(only().state ?? 0);

/** A row of datagrams without a socket. */
function addRow(kind: number, port: number, protocol: number): number {
  key.fill(1);
  const flow = add(kind, port, protocol);
  rows[flow * ROW + FD] = -1;
  return flow;
}

describe('worker: the list of flows', () => {
  const states: readonly (readonly [string, () => unknown])[] = [
    ['CONNECTING', connecting],
    ['SYN-RECEIVED', synReceived],
    ['SYN-SENT', synSent],
    ['ESTABLISHED', established],
    ['CLOSE-WAIT', () => sendFin(established())],
    ['FIN-WAIT-1', () => hostFin(established())],
    [
      'FIN-WAIT-2',
      () => {
        const dialogue = established();
        hostFin(dialogue);
        dialogue.acknowledge(dialogue.ack + 1);
      },
    ],
    [
      'CLOSING',
      () => {
        const dialogue = established();
        hostFin(dialogue);
        sendFin(dialogue);
      },
    ],
    [
      'LAST-ACK',
      () => {
        const dialogue = established();
        sendFin(dialogue);
        hostFin(dialogue);
      },
    ],
    ['TIME-WAIT', timeWait],
  ];
  for (const [state, begin] of states) {
    it(`shows a connection in ${state}`, () => {
      begin();
      expect(stateNow()).to.equal(state);
    });
  }

  it('tells the ends of a connection, its age and what it has moved', () => {
    const dialogue: Dialogue = established();
    Object.assign(dialogue.stream, { localPort: 4321, bytesAcked: 5_000_000_000, bytesReceived: 7 });
    const { age } = only();
    dialogue.bench.advance(1500);
    const flow = only();
    expect(flow).to.include({ protocol: 6, spliced: false, guestPort: GUEST_PORT, farPort: FAR_PORT, hostPort: 4321 });
    expect(flow).to.include({ fromGuest: 5_000_000_000, toGuest: 7, age: (age as number) + 1500 });
    expect([...(flow.host as Uint8Array)]).to.deep.equal(LOOPBACK);
  });

  for (const side of [undefined, GUEST_SIDE]) {
    it(`shows a spliced connection once, ${side === undefined ? 'from the host' : 'from the guest'}`, () => {
      const bench = new Workbench();
      const pair = new SplicedPair(bench, side);
      expect(stateNow()).to.equal('CONNECTING');
      pair.connect();
      Object.assign(pair.came, { localPort: 1, bytesAcked: 10, bytesReceived: 20 });
      Object.assign(pair.made, { localPort: 2, bytesAcked: 30, bytesReceived: 40 });
      const atHost = { hostPort: 1, guestPort: 2, fromGuest: 40, toGuest: 30 };
      const atGuest = { hostPort: 2, guestPort: 1, fromGuest: 20, toGuest: 10 };
      expect(only()).to.include({ protocol: 6, spliced: true, farPort: 8080, ...(side === GUEST_SIDE ? atGuest : atHost) });
      expect(stateNow()).to.equal('ESTABLISHED');
      pair.came.end();
      bench.settle();
      expect(stateNow()).to.equal('CLOSE-WAIT');
    });
  }

  it('shows exchanges of datagrams and pings, answered or not', () => {
    new Workbench();
    const udp = addRow(UDP, (1000 << 16) | 53, 17);
    addRow(PING, 77 << 16, 1);
    rows[udp * ROW + FLAGS] = 1;
    const shown = (listFlows(0).flows ?? []).map(({ protocol, state, guestPort, farPort }) => [
      protocol,
      FLOW_STATES.get(state ?? 0),
      guestPort,
      farPort,
    ]);
    expect(shown).to.deep.equal([
      [17, 'ANSWERED', 1000, 53],
      [1, 'UNANSWERED', 77, 0],
    ]);
  });

  it('goes through the table in pages, and through large gaps in steps', () => {
    const all = ROWS_PER_PAGE + FLOWS_PER_PAGE;
    new Workbench({ flows: all, descriptors: all });
    const taken = Array.from({ length: all }, (_, index) => addRow(UDP, index, 17));
    for (const flow of taken.slice(FLOWS_PER_PAGE + 1, ROWS_PER_PAGE)) remove(flow);
    const pages: [number, number][] = [];
    let next = 0;
    do {
      const page = listFlows(next);
      pages.push([page.next ?? 0, page.flows?.length ?? 0]);
      next = page.next ?? 0;
    } while (next !== 0);
    expect(pages.reduce((sum, [, count]) => sum + count, 0)).to.equal(2 * FLOWS_PER_PAGE + 1);
    expect(Math.max(...pages.map(([, count]) => count))).to.equal(FLOWS_PER_PAGE);
    expect(pages).to.have.length.within(3, 4);
    expect(listFlows(1_000_000)).to.deep.equal({ next: 0, flows: [] });
  });
});
