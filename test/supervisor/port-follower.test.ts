/**
 * What follows from services that come and go in two namespaces, in a model of them: sockets with inodes, of which some are ours.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import sinon from 'sinon';
import { listeningFault } from '../../supervisor/forwarding/listening-fault.ts';
import { OwnSockets } from '../../supervisor/forwarding/own-sockets.ts';
import { type Hear, PortFollower, type Protocol, type Side } from '../../supervisor/forwarding/port-follower.ts';
import { type ForwardingRule, sameRule } from '../../supervisor/forwarding/rule.ts';
import { EMPTY_TABLE, type ForwardingTable } from '../../supervisor/forwarding/table.ts';
import { NetlinkError } from '../../supervisor/host/netlink.ts';

const EADDRINUSE = 98;
const SIDES = ['host', 'guest'] as const;
const PROTOCOLS = ['tcp', 'udp'] as const;
const OTHER = { host: 'guest', guest: 'host' } as const;

function scanning(side: Side, protocol: Protocol, more: Partial<ForwardingRule> = {}): ForwardingRule {
  const rule = { protocol, side, address: null, interfaceName: null, first: 1, last: 65_535, targetFirst: 1, target: null };
  return { ...rule, weak: true, scan: true, ...more };
}

const socketOf = ({ side, protocol }: ForwardingRule, port: number) => ({ side, protocol, port });

interface Socket {
  readonly side: Side;
  readonly protocol: Protocol;
  readonly port: number;
  readonly isOurs: boolean;
}

/** Two namespaces. Sockets of the same port exclude each other unless `shares` (they are at different addresses). */
class World {
  readonly sockets = new Map<number, Socket>();
  readonly own = { host: { tcp: new OwnSockets(), udp: new OwnSockets() }, guest: { tcp: new OwnSockets(), udp: new OwnSockets() } };
  readonly lines: string[] = [];
  readonly follower: PortFollower;
  readonly #shares: boolean;
  /** What the worker was told to close and has not closed yet. */
  readonly #closing: number[] = [];
  #inode = 1000;
  #table: ForwardingTable = EMPTY_TABLE;
  flushes = 0;
  openings = 0;
  looks = 0;
  failure: Error | null = null;
  readonly failed: string[] = [];

  constructor(shares = false) {
    this.#shares = shares;
    const log = (line: string): void => void this.lines.push(line);
    this.follower = new PortFollower(
      {
        apply: (table) => this.#apply(table),
        current: () => this.#table,
        enabled: { ipv4: true, ipv6: true, tcp: true, udp: true, scan: true },
        open: (rule, ports) => this.#openAll(rule, ports),
        close: (rule, port) => this.#close(rule, port),
        isOpen: (rule, port) => this.#find({ ...socketOf(rule, port), isOurs: true }) !== undefined,
        flush: () => void this.flushes++,
        own: (side, protocol) => this.own[side][protocol],
      },
      {
        hear: (side, protocol, found) => this.#hear(side, protocol, found),
        log: { debug: log, info: log, warning: log },
        failed: (line) => void this.failed.push(line),
      },
    );
  }

  #hear(...[side, protocol, found]: Parameters<Hear>): void {
    this.looks++;
    if (this.failure !== null) throw this.failure;
    for (const [inode, socket] of this.sockets) if (socket.side === side && socket.protocol === protocol) found(socket.port, inode);
  }

  #find(wanted: Socket): number | undefined {
    for (const [inode, each] of this.sockets)
      if (each.side === wanted.side && each.protocol === wanted.protocol && each.port === wanted.port && each.isOurs === wanted.isOurs)
        if (!this.#closing.includes(inode)) return inode;
    return undefined;
  }

  #isTaken({ side, protocol, port }: Socket): boolean {
    return [...this.sockets.values()].some((each) => each.side === side && each.protocol === protocol && each.port === port);
  }

  /** The service listens, unless somebody does already. */
  serve(side: Side, protocol: Protocol, port: number): void {
    const socket = { side, protocol, port, isOurs: false };
    if (this.#find(socket) === undefined && (this.#shares || !this.#isTaken(socket))) this.sockets.set(this.#inode++, socket);
  }

  end(side: Side, protocol: Protocol, port: number): void {
    const inode = this.#find({ side, protocol, port, isOurs: false });
    if (inode !== undefined) this.sockets.delete(inode);
  }

  #openAll(rule: ForwardingRule, ports: readonly number[]): Map<number, number> {
    const results = ports.map((port) => [port, this.#open(rule, port)] as const);
    return new Map(results.filter(([, errno]) => errno !== 0));
  }

  #open(rule: ForwardingRule, port: number): number {
    const socket = { side: rule.side, protocol: rule.protocol, port, isOurs: true };
    expect(this.#find(socket), 'opened twice').to.equal(undefined);
    if (!this.#shares && this.#isTaken(socket)) return EADDRINUSE;
    const inode = this.#inode++;
    this.openings++;
    this.sockets.set(inode, socket);
    this.own[rule.side][rule.protocol].add(port, inode);
    return 0;
  }

  #close(rule: ForwardingRule, port: number): void {
    const inode = this.#find({ side: rule.side, protocol: rule.protocol, port, isOurs: true });
    expect(inode, 'closed without being open').to.not.equal(undefined);
    this.#closing.push(inode as number);
    this.own[rule.side][rule.protocol].remove(inode as number);
  }

  /** As the listeners do: what rules that are gone had open is closed. */
  async #apply(table: ForwardingTable): Promise<string | null> {
    for (const rule of [...this.#table.host, ...this.#table.guest])
      if (![...table.host, ...table.guest].some((other) => sameRule(rule, other)))
        for (const port of this.ports(rule.side, rule.protocol)) this.#close(rule, port);
    this.settle();
    this.#table = table;
    return null;
  }

  /** Has these rules take the place of all. */
  async follow(rules: readonly ForwardingRule[]): Promise<void> {
    const on = (side: Side): ForwardingRule[] => rules.filter((rule) => rule.side === side);
    expect(await this.follower.apply({ host: on('host'), guest: on('guest') })).to.equal(null);
  }

  /** The worker has read what it was told. */
  settle(): void {
    for (const inode of this.#closing.splice(0)) this.sockets.delete(inode);
  }

  look(): void {
    this.follower.look();
  }

  ports(side: Side, protocol: Protocol, isOurs = true): number[] {
    const found = [...this.sockets.values()].filter((each) => each.side === side && each.protocol === protocol && each.isOurs === isOurs);
    return found.map(({ port }) => port).sort((a, b) => a - b);
  }

  get ours(): string[] {
    const found = [...this.sockets.entries()].filter(([inode, { isOurs }]) => isOurs && !this.#closing.includes(inode));
    return found.map(([, { side, protocol, port }]) => `${side} ${protocol} ${port}`).sort();
  }

  hasService(side: Side, protocol: Protocol, port: number): boolean {
    return this.#find({ side, protocol, port, isOurs: false }) !== undefined;
  }
}

const EVERYTHING = SIDES.flatMap((side) => PROTOCOLS.map((protocol) => scanning(side, protocol)));

describe('supervisor/forwarding/port-follower', function () {
  this.timeout(60_000);
  let clock: sinon.SinonFakeTimers;
  beforeEach(() => {
    clock = sinon.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => sinon.restore());

  it('opens a port when its service comes, within 250 ms, and closes it when that goes', async () => {
    const world = new World();
    await world.follow([scanning('host', 'tcp')]);
    clock.tick(1000);
    world.serve('guest', 'tcp', 8080);
    clock.tick(250);
    expect(world.ours).to.deep.equal(['host tcp 8080']);
    world.end('guest', 'tcp', 8080);
    clock.tick(250);
    expect(world.ours).to.deep.equal([]);
    world.follower.stop();
  });

  it('has ports open that were in use before', async () => {
    const world = new World();
    world.serve('host', 'udp', 53);
    await world.follow(EVERYTHING);
    expect(world.ours).to.deep.equal(['guest udp 53']);
    world.follower.stop();
  });

  it('looks at nothing when no rule scans, or no longer', async () => {
    const world = new World();
    await world.follow([{ ...scanning('host', 'tcp'), scan: false }]);
    clock.tick(10_000);
    expect(world.looks).to.equal(0);
    await world.follow(EVERYTHING);
    expect(world.looks).to.be.above(0);
    await world.follow([]);
    const { looks } = world;
    clock.tick(10_000);
    expect(world.looks).to.equal(looks);
    await world.follow(EVERYTHING);
    world.follower.stop();
    expect(clock.countTimers()).to.equal(0);
  });

  it('does nothing but look while nothing changes', async () => {
    const world = new World();
    world.serve('guest', 'tcp', 80);
    await world.follow(EVERYTHING);
    clock.tick(250);
    const { flushes, looks } = world;
    clock.tick(2000);
    expect(world.looks).to.be.above(looks);
    expect(world.flushes).to.equal(flushes);
    world.serve('guest', 'tcp', 81);
    clock.tick(250);
    expect(world.ours).to.include('host tcp 81');
    world.follower.stop();
  });

  it('asks about the side and the protocols that matter alone', async () => {
    const world = new World();
    await world.follow([scanning('host', 'tcp')]);
    expect(world.looks).to.equal(1);
    await world.follow([scanning('host', 'tcp'), scanning('host', 'udp')]);
    expect(world.looks).to.equal(3);
    world.follower.stop();
  });

  it('rests longer after a look that took long', async () => {
    const world = new World();
    await world.follow([scanning('host', 'tcp')]);
    const now = sinon.stub(process, 'hrtime').callsFake((() => [0, 1e8 * world.looks]) as never);
    clock.tick(250);
    now.returns([0, 0]);
    const { looks } = world;
    clock.tick(1800);
    expect(world.looks).to.equal(looks);
    clock.tick(200);
    expect(world.looks).to.equal(looks + 1);
    world.follower.stop();
  });

  it('tries a port that is taken at each look, and tells it once', async () => {
    const world = new World();
    world.serve('guest', 'tcp', 80);
    world.serve('host', 'tcp', 80);
    const rule = scanning('host', 'tcp');
    await world.follow([rule]);
    clock.tick(1000);
    expect(world.lines).to.deep.equal([`${listeningFault(rule, 80, EADDRINUSE)} (tried again while somebody listens at the other side)`]);
    world.end('host', 'tcp', 80);
    clock.tick(250);
    expect(world.ours).to.deep.equal(['host tcp 80']);
    world.follower.stop();
  });

  it('goes on after the kernel has refused to tell, and says so once', async () => {
    const world = new World();
    world.serve('guest', 'tcp', 80);
    world.failure = new NetlinkError(105, 'netlink send failed');
    await world.follow([scanning('host', 'tcp')]);
    clock.tick(1000);
    expect(world.lines).to.have.length(1);
    world.failure = null;
    clock.tick(250);
    expect(world.ours).to.deep.equal(['host tcp 80']);
    world.follower.stop();
  });

  it('ends, with one line, when what it needs is gone', async () => {
    const world = new World();
    await world.follow([scanning('host', 'tcp')]);
    world.failure = new Error('the opener ended');
    clock.tick(1000);
    expect(world.failed).to.deep.equal(['the opener ended']);
    expect(clock.countTimers()).to.equal(0);
  });

  it('keeps the ports of a rule that stays', async () => {
    const world = new World();
    const [kept, changed] = [scanning('host', 'tcp'), scanning('guest', 'tcp')];
    world.serve('guest', 'tcp', 80);
    await world.follow([kept, changed]);
    await world.follow([kept]);
    expect(world.ours).to.deep.equal(['host tcp 80']);
    expect(world.openings).to.equal(1);
    world.follower.stop();
  });

  it('does not take for a service what it has closed but the worker still has', async () => {
    const world = new World();
    world.serve('guest', 'tcp', 80);
    await world.follow(EVERYTHING);
    expect(world.ours).to.deep.equal(['host tcp 80', 'host udp 80']);
    world.end('guest', 'tcp', 80);
    for (let turn = 0; turn < 3; turn++) world.look();
    expect(world.ours).to.deep.equal([]);
    world.settle();
    world.look();
    expect(world.openings).to.equal(2);
    world.follower.stop();
  });

  it('follows a service that takes the port of a socket which it has closed', async () => {
    const world = new World();
    world.serve('guest', 'tcp', 80);
    await world.follow(EVERYTHING);
    world.end('guest', 'tcp', 80);
    world.look();
    world.settle();
    world.serve('host', 'tcp', 80);
    world.look();
    expect(world.ours).to.deep.equal(['guest tcp 80', 'guest udp 80']);
    world.follower.stop();
  });

  it('comes to rest, forwards what is there and nothing else, and leads nothing back to where it came from', async () => {
    const ports = fc.constantFrom(1, 2, 3, 4, 5, 6);
    const step = fc.record({
      side: fc.constantFrom(...SIDES),
      protocol: fc.constantFrom(...PROTOCOLS),
      port: ports,
      what: fc.constantFrom('serve', 'serve', 'end', 'look', 'settle'),
    });
    const shift = fc.constantFrom(1, 1, 3);
    const rules = fc.tuple(shift, shift, shift, shift).map((shifts) =>
      SIDES.flatMap((side, at) =>
        PROTOCOLS.map((protocol, by) => {
          const targetFirst = shifts[2 * at + by] as number;
          return scanning(side, protocol, { last: 65_536 - targetFirst, targetFirst });
        }),
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), rules, fc.boolean(), async (steps, chosen, shares) => {
        const world = new World(shares);
        await world.follow(chosen);
        for (const { side, protocol, port, what } of steps) {
          if (what === 'serve') world.serve(side, protocol, port);
          else if (what === 'end') world.end(side, protocol, port);
          else if (what === 'look') world.look();
          else world.settle();
        }
        comesToRest(world);
        for (const rule of chosen) isRight(world, rule);
        for (const side of SIDES)
          for (const protocol of PROTOCOLS) for (const port of world.ports(side, protocol, false)) world.end(side, protocol, port);
        comesToRest(world);
        expect(world.ours, 'without services').to.deep.equal([]);
        world.follower.stop();
      }),
      { numRuns: 500 },
    );
  });
});

function comesToRest(world: World): void {
  for (let turn = 0; turn < 3; turn++) {
    world.settle();
    world.look();
  }
  world.settle();
  const { ours, openings } = world;
  for (let turn = 0; turn < 4; turn++) {
    world.look();
    world.settle();
    expect(world.ours, 'at rest').to.deep.equal(ours);
  }
  expect(world.openings, 'at rest').to.equal(openings);
}

/** Each open port has a service; each service is forwarded, unless its port is taken or what listens there leads back. */
function isRight(world: World, { side, protocol, targetFirst }: ForwardingRule): void {
  const far = OTHER[side];
  const isServed = (port: number): boolean =>
    world.hasService(far, protocol, port) || (protocol === 'udp' && world.hasService(far, 'tcp', port));
  const open = world.ports(side, protocol);
  for (const port of open) expect(isServed(port - 1 + targetFirst), `${side} ${protocol} ${port}`).to.equal(true);
  const taken = world.ports(side, protocol, false);
  const ownFar = world.ports(far, protocol);
  for (let target = targetFirst; target < 12; target++) {
    const port = target - targetFirst + 1;
    if (isServed(target) && !taken.includes(port) && !ownFar.includes(target)) expect(open, `${side} ${protocol}`).to.include(port);
  }
}
