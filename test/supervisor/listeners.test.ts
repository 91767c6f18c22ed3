/** Listening sockets of the rules; the openers and the worker are the test's. */
import { expect } from 'chai';
import type { ravioli } from '../../shared/channel.gen.js';
import { formatAddress, parseAddress } from '../../shared/addresses.ts';
import { Listeners, type ListeningOpener } from '../../supervisor/forwarding/listeners.ts';
import type { ForwardingRule } from '../../supervisor/forwarding/rule.ts';
import type { ForwardingTable } from '../../supervisor/forwarding/table.ts';
import type { ListenQuestion } from '../../supervisor/opener.ts';

const EPERM = 1;
const EACCES = 13;
const EMFILE = 24;
const EADDRINUSE = 98;
const EAFNOSUPPORT = 97;
const ENABLED = { ipv4: true, ipv6: true, tcp: true, udp: true, scan: true };

const RULE: ForwardingRule = {
  protocol: 'tcp',
  side: 'host',
  address: null,
  interfaceName: null,
  first: 8000,
  last: 8000,
  targetFirst: 80,
  target: null,
  weak: false,
  scan: false,
};
const OUTWARD: ForwardingRule = { ...RULE, side: 'guest', interfaceName: 'lo', targetFirst: 8000 };

function address(text: string): Uint8Array {
  return parseAddress(text) as Uint8Array;
}

/** Answers each question as `refuse` says: 0 = a descriptor. Never more than its queue holds is asked before answers are taken. */
class Opener implements ListeningOpener {
  readonly asked: ListenQuestion[] = [];
  readonly ports: string[] = [];
  refuse: (question: ListenQuestion) => number = () => 0;
  #queue: ListenQuestion[] = [];
  #descriptor = 100;

  postListener(question: ListenQuestion): void {
    this.asked.push(question);
    this.#queue.push(question);
    expect(this.#queue.length, 'questions at once').to.be.at.most(10);
  }

  collectListener(): { result: number; descriptor: number | null } {
    const errno = this.refuse(this.#queue.shift() as ListenQuestion);
    return errno === 0 ? { result: 8000, descriptor: this.#descriptor++ } : { result: -errno, descriptor: null };
  }

  setPorts(use: string, { first, last }: { first: number; last: number }, permitted: boolean): void {
    this.ports.push(`${permitted ? '+' : '-'}${use} ${first}-${last}`);
  }
}

class Room {
  readonly messages: number[] = [];
  readonly open = new Map<number, ravioli.Listener.$Properties>();
  settlings = 0;
  /** Descriptors that are left. */
  room = 10_000;
  refused: (ids: readonly number[]) => void = () => {};

  giveListeners(listeners: readonly ravioli.Listener.$Properties[], descriptors: readonly number[]): void {
    expect(descriptors.length).to.equal(listeners.length);
    this.messages.push(listeners.length);
    const refused: number[] = [];
    for (const listener of listeners) {
      if (this.room-- <= 0) {
        this.room = 0;
        refused.push(listener.id as number);
        continue;
      }
      expect(this.open.has(listener.id as number), 'a number that is taken').to.equal(false);
      this.open.set(listener.id as number, listener);
    }
    if (refused.length > 0) void Promise.resolve().then(() => this.refused(refused));
  }

  takeListeners(ids: readonly number[]): void {
    for (const id of ids) if (this.open.delete(id)) this.room++;
  }

  async settled(): Promise<number> {
    this.settlings++;
    const { room } = this;
    // What was refused before is told before.
    await Promise.resolve();
    return room;
  }
}

function make(
  enabled = ENABLED,
  descriptors = { limit: 65_536, listeners: 65_000 },
): { listeners: Listeners; host: Opener; guest: Opener; room: Room } {
  const host = new Opener();
  const guest = new Opener();
  const room = new Room();
  const interfaceIndex = (name: string): number | null => (name === 'eth0' ? 7 : null);
  const listeners = new Listeners({
    openers: { host, guest },
    worker: room,
    enabled,
    descriptors,
    freeBind: false,
    uplink: () => 3,
    interfaceIndex,
    inodeOf: (fd) => fd + 5000,
  });
  room.refused = (ids) => listeners.refused(ids);
  return { listeners, host, guest, room };
}

function table(host: readonly ForwardingRule[], guest: readonly ForwardingRule[] = []): ForwardingTable {
  return { host, guest };
}

describe('supervisor/forwarding: listeners', () => {
  it('are asked for as the rule says, and given with its facts', async () => {
    const { listeners, host, guest, room } = make();
    const rules = [
      { ...RULE, last: 8002 },
      { ...RULE, protocol: 'udp', address: address('192.0.2.2'), interfaceName: 'eth0', target: address('192.0.2.9') },
    ] as const;
    expect(await listeners.apply(table(rules, [OUTWARD]))).to.equal(null);
    expect(host.asked.map(({ protocol, port, both, link, address }) => [protocol, port, both, link, formatAddress(address)])).to.deep.equal(
      [
        ['tcp', 8000, true, 0, '::'],
        ['tcp', 8001, true, 0, '::'],
        ['tcp', 8002, true, 0, '::'],
        ['udp', 8000, false, 7, '192.0.2.2'],
      ],
    );
    expect(guest.asked.map(({ port, both, link }) => [port, both, link])).to.deep.equal([[8000, true, 1]]);
    const facts = [...room.open.values()];
    expect(facts.map(({ protocol, guest, port, targetPort }) => [protocol, guest, port, targetPort])).to.deep.equal([
      [6, false, 8000, 80],
      [6, false, 8001, 81],
      [6, false, 8002, 82],
      [17, false, 8000, 80],
      [6, true, 8000, 8000],
    ]);
    expect(facts[3]?.target).to.deep.equal(address('192.0.2.9'));
    expect(listeners.count).to.equal(5);
  });

  it('go to the worker some hundreds at once', async () => {
    const { listeners, room } = make();
    expect(await listeners.apply(table([{ ...RULE, first: 10_001, last: 20_000, targetFirst: 10_001 }]))).to.equal(null);
    expect(room.open.size).to.equal(10_000);
    expect(room.messages.length).to.be.below(60);
    expect(Math.max(...room.messages)).to.be.at.most(253);
  });

  it('open the loopback for what leads there and for what answers, and nothing longer than needed', async () => {
    const { listeners, host } = make();
    const answered = { ...RULE, protocol: 'udp', first: 5000, last: 5004 } as const;
    const other = { ...answered, first: 5002, last: 5002, address: address('192.0.2.2') };
    await listeners.apply(table([answered, other, RULE], [{ ...OUTWARD, last: 8003 }]));
    expect(host.ports.splice(0)).to.have.members(['+answer-udp 5000-5004', '+reach-tcp 8000-8003']);
    await listeners.apply(table([other, RULE], [{ ...OUTWARD, last: 8003 }]));
    expect(host.ports.splice(0)).to.deep.equal(['-answer-udp 5000-5001', '-answer-udp 5003-5004']);
    await listeners.apply(table([], []));
    expect(host.ports).to.have.members(['-answer-udp 5002-5002', '-reach-tcp 8000-8003']);
  });

  it('that stay are not touched by others that come and go; who goes has gone before another wants its port', async () => {
    const { listeners, host, room } = make();
    await listeners.apply(table([RULE, { ...RULE, first: 9000, last: 9000 }]));
    const [kept] = [...room.open.keys()];
    host.asked.length = 0;
    room.settlings = 0;
    expect(await listeners.apply(table([RULE, { ...RULE, first: 9000, last: 9000, targetFirst: 81 }]))).to.equal(null);
    expect(room.open.get(kept as number)).to.include({ port: 8000 });
    expect(host.asked.map(({ port }) => port)).to.deep.equal([9000]);
    expect([...room.open.values()].map(({ targetPort }) => targetPort)).to.have.members([80, 81]);
    expect(room.settlings, 'when the old is closed, and when the new is taken').to.equal(2);
  });

  it('all stay as they were when one that must be can’t', async () => {
    const { listeners, host, room } = make();
    await listeners.apply(table([RULE]));
    host.refuse = ({ port }) => (port === 9001 ? EADDRINUSE : 0);
    const fault = await listeners.apply(table([{ ...RULE, first: 9000, last: 9002 }]));
    expect(fault).to.match(
      /^--tcp-ports '9000-9002:80-82': can't listen on TCP port 9001 \(address already in use\); another program has it; choose another port/,
    );
    expect([...room.open.values()].map(({ port }) => port)).to.deep.equal([8000]);
    expect(listeners.current().host).to.deep.equal([RULE]);
  });

  it('of a weak rule may be missing, but not all of them', async () => {
    const { listeners, host, room } = make();
    host.refuse = ({ port }) => (port === 9001 ? EADDRINUSE : 0);
    const weak = { ...RULE, first: 9000, last: 9002, weak: true };
    expect(await listeners.apply(table([weak]))).to.equal(null);
    expect(room.open.size).to.equal(2);
    host.refuse = () => EACCES;
    expect(await listeners.apply(table([{ ...weak, first: 80, last: 81 }]))).to.match(
      /TCP port 80 .*; choose a port from 1024 on, or run 'sysctl/,
    );
  });

  it('of a rule that scans are left to whoever looks', async () => {
    const { listeners, room } = make();
    const scanning = { ...RULE, last: 8010, scan: true };
    await listeners.apply(table([scanning]));
    expect(room.open.size).to.equal(0);
    expect(listeners.open(scanning, [8003, 8004]).size).to.equal(0);
    expect(listeners.open(scanning, [8004]).size).to.equal(0);
    listeners.flush();
    expect([...room.open.values()].map(({ port }) => port)).to.deep.equal([8003, 8004]);
    listeners.close(scanning, 8003);
    listeners.close(scanning, 8003);
    listeners.flush();
    expect(listeners.isOpen(scanning, 8003)).to.equal(false);
    expect([...room.open.values()].map(({ port }) => port)).to.deep.equal([8004]);
    await listeners.apply(table([]));
    expect(room.open.size).to.equal(0);
  });

  it('are of one family where the kernel or the guest has only one', async () => {
    const without = make();
    without.host.refuse = ({ both }) => (both ? EAFNOSUPPORT : 0);
    expect(await without.listeners.apply(table([RULE]))).to.equal(null);
    expect(without.host.asked.map(({ address }) => formatAddress(address))).to.deep.equal(['::', '0.0.0.0']);
    const guest4 = make({ ...ENABLED, ipv6: false });
    expect(await guest4.listeners.apply(table([RULE]))).to.equal(null);
    expect(guest4.host.asked.map(({ address, both }) => [formatAddress(address), both])).to.deep.equal([['0.0.0.0', false]]);
  });

  it('of the guest’s side are two on its loopback where a socket can’t be bound to a link', async () => {
    const { listeners, guest, room } = make();
    guest.refuse = ({ link }) => (link > 0 ? EPERM : 0);
    expect(await listeners.apply(table([], [OUTWARD]))).to.equal(null);
    expect(guest.asked.slice(1).map(({ address, both }) => [formatAddress(address), both])).to.deep.equal([
      ['127.0.0.1', false],
      ['::1', false],
    ]);
    expect(room.open.size).to.equal(2);
    await listeners.apply(table([], []));
    expect(room.open.size).to.equal(0);
  });

  it('that scanning finds are no more than there are descriptors for', async () => {
    const { listeners, host } = make(ENABLED, { limit: 1024, listeners: 3 });
    const scanning = { ...RULE, last: 8010, scan: true };
    await listeners.apply(table([scanning]));
    expect([...listeners.open(scanning, [8000, 8001, 8002, 8003, 8004])]).to.deep.equal([
      [8003, EMFILE],
      [8004, EMFILE],
    ]);
    expect(host.asked).to.have.length(3);
    listeners.close(scanning, 8001);
    expect([...listeners.open(scanning, [8003, 8004])]).to.deep.equal([[8004, EMFILE]]);
  });

  it('of a link-local address are on the uplink, unless the rule names another', async () => {
    const { listeners, host } = make();
    const local = { ...RULE, address: address('fe80::1') };
    expect(await listeners.apply(table([local, { ...local, first: 9000, last: 9000, interfaceName: 'eth0' }]))).to.equal(null);
    await listeners.apply(table([{ ...RULE, address: address('169.254.1.1') }]));
    expect(host.asked.map(({ link }) => link)).to.deep.equal([3, 7, 0]);
  });

  it('can’t be on a link that is not there', async () => {
    const { listeners } = make();
    expect(await listeners.apply(table([{ ...RULE, interfaceName: 'eth9' }]))).to.match(
      /on eth9 .*; there is no such interface; see 'ip link'/,
    );
  });

  it('are not begun when there are not descriptors enough for all of them', async () => {
    const { listeners, host } = make(ENABLED, { limit: 1024, listeners: 900 });
    const most = { ...RULE, first: 9000, last: 9898 };
    expect(await listeners.apply(table([RULE, { ...most, protocol: 'udp', last: 9899 }, { ...most, scan: true }]))).to.equal(
      "--udp-ports '9000-9899:80-979': 901 ports in all need 1025 open files, and the limit is 1024; " +
        "raise it with 'ulimit -Hn 1025' as root, or forward fewer ports",
    );
    expect(host.asked).to.deep.equal([]);
    expect(await listeners.apply(table([RULE, most]))).to.equal(null);
    expect(listeners.count).to.equal(900);
  });

  describe('while flows hold the worker’s descriptors', () => {
    const scanning = { ...RULE, last: 8010, scan: true };
    const settling = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

    it('that the worker refuses are gone, and no more are made until it has room', async () => {
      const { listeners, host, room } = make();
      await listeners.apply(table([scanning]));
      room.room = 2;
      expect(listeners.open(scanning, [8000, 8001, 8002, 8003]).size).to.equal(0);
      listeners.flush();
      await settling();
      expect([8000, 8001, 8002, 8003].map((port) => listeners.isOpen(scanning, port))).to.deep.equal([true, true, false, false]);
      expect([...listeners.own('host', 'tcp').ports]).to.deep.equal([8000, 8001]);
      expect([...listeners.open(scanning, [8002, 8003])]).to.deep.equal([
        [8002, EMFILE],
        [8003, EMFILE],
      ]);
      await settling();
      expect(listeners.open(scanning, [8002, 8003]).size, 'there is no room yet').to.equal(2);
      await settling();
      expect(host.asked).to.have.length(4);

      room.room = 1;
      listeners.open(scanning, [8002, 8003]);
      await settling();
      expect([...listeners.open(scanning, [8002, 8003])]).to.deep.equal([[8003, EMFILE]]);
      room.room = 5000;
      await settling();
      expect(listeners.open(scanning, [8003]).size).to.equal(0);
      listeners.flush();
      await settling();
      expect(room.open.size).to.equal(4);
      expect(room.room).to.equal(4998);
    });

    it('that must be and can’t leave the rules as they were', async () => {
      const { listeners, room } = make();
      expect(await listeners.apply(table([RULE]))).to.equal(null);
      room.room = 1;
      const more = { ...RULE, first: 9000, last: 9002 };
      expect(await listeners.apply(table([RULE, more]))).to.match(/can't listen on TCP port 9001 \(too many open files\); the limit/);
      expect(listeners.current()).to.deep.equal(table([RULE]));
      expect([...room.open.values()].map(({ port }) => port)).to.deep.equal([8000]);
      room.room = 3;
      expect(await listeners.apply(table([RULE, more]))).to.equal(null);
      expect(room.open.size).to.equal(4);
    });

    it('of a number that was given anew meanwhile are asked for again', async () => {
      const { listeners, room } = make();
      await listeners.apply(table([scanning]));
      listeners.open(scanning, [8000]);
      listeners.flush();
      const [id] = [...room.open.keys()] as [number];
      listeners.close(scanning, 8000);
      listeners.flush();
      listeners.open(scanning, [8001]);
      listeners.flush();
      expect([...room.open.keys()]).to.deep.equal([id]);
      listeners.refused([id]);
      expect(listeners.isOpen(scanning, 8001)).to.equal(false);
      expect(room.open.size).to.equal(0);
    });
  });
});
