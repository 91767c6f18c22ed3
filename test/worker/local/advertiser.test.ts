/** When router advertisements are sent without having been asked for. */
import { expect } from 'chai';
import { ALL_NODES, ALL_ROUTERS, LINK_LOCAL, ROUTER, RouterLink, solicitation } from '../../support/advertisements.ts';

const MINUTE = 60_000;

describe('worker/local/advertiser', () => {
  /** Milliseconds between the turns in which the link has sent something, for as long as `within`. */
  function intervals(link: RouterLink, within: number): number[] {
    const found: number[] = [];
    let since = 0;
    for (let at = 0; at < within; at += 1000) {
      link.bench.advance(1000);
      since += 1000;
      for (const { to, from } of link.sent()) {
        expect([to, from]).to.deep.equal([ALL_NODES, ROUTER]);
        found.push(since);
        since = 0;
      }
    }
    return found;
  }

  it('begins at once, goes on soon, and then comes every few minutes', () => {
    const link = new RouterLink();
    link.begin();
    expect(link.sent().map(({ to, mac }) => [to, mac])).to.deep.equal([[ALL_NODES, '333300000001']]);
    const [second, third, ...others] = intervals(link, 240 * MINUTE);
    expect([second, third]).to.deep.equal([16_000, 16_000]);
    expect(others).to.have.length.within(23, 72);
    for (const interval of others) expect(interval).to.be.within(199_000, 601_000);
    expect(new Set(others).size).to.be.above(10);
    expect(link.bench.counter('router_advertisements')).to.equal(3 + others.length);
  });

  it('is silent where there are no advertisements, and nobody is woken for it', () => {
    const link = new RouterLink({ ra: false });
    link.begin();
    expect(link.bench.wait()).to.equal(-1);
    expect(intervals(link, 20 * MINUTE)).to.deep.equal([]);
  });

  it('tells of a change at once, but not more often than every three seconds', () => {
    const link = new RouterLink({ servers: ['2001:db8::53'] });
    link.begin();
    link.bench.advance(30 * MINUTE);
    link.sent();
    for (const last of [1, 2, 3]) {
      link.set({ servers: [`2001:db8::${last}`] });
      link.begin();
    }
    expect(link.sent()).to.have.length(1);
    link.bench.advance(2999);
    expect(link.sent()).to.have.length(0);
    link.bench.advance(1);
    const [changed] = link.sent();
    expect(changed?.options.find(([type]) => type === 25)?.[1]).to.match(/0003$/);
    link.bench.advance(32_000);
    expect(link.sent()).to.have.length(2);
  });

  it('answers a guest without an address by one to everybody, at once', () => {
    const link = new RouterLink();
    const [answer, ...others] = link.deliver(solicitation('::', ALL_ROUTERS));
    expect([answer?.to, answer?.mac, others]).to.deep.equal([ALL_NODES, '333300000001', []]);
  });

  it('and, when one has been sent just now, as soon as it may', () => {
    const link = new RouterLink();
    link.begin();
    expect(link.sent()).to.have.length(1);
    link.bench.advance(1000);
    for (let count = 0; count < 100; count++) expect(link.deliver(solicitation('::', ALL_ROUTERS))).to.deep.equal([]);
    link.bench.advance(1999);
    expect(link.sent()).to.deep.equal([]);
    link.bench.advance(1);
    expect(link.sent()).to.have.length(1);
  });

  it('a guest that asks from its address is answered there, however often', () => {
    const link = new RouterLink();
    link.begin();
    link.sent();
    for (let count = 0; count < 100; count++)
      expect(link.deliver(solicitation(LINK_LOCAL, ALL_ROUTERS)).map(({ to }) => to)).to.deep.equal([LINK_LOCAL]);
    expect(link.bench.counter('ndp_answered')).to.equal(100);
  });

  it('one that the link refuses does not delay the answer to who asks', () => {
    const link = new RouterLink();
    link.bench.kernel.tap.refuse = () => 5;
    link.begin();
    link.bench.kernel.tap.refuse = () => 0;
    expect(link.sent()).to.deep.equal([]);
    expect(link.deliver(solicitation('::', ALL_ROUTERS))).to.have.length(1);
  });
});
