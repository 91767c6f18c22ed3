/** The options of passt, and the place where machines connect. */
import { expect } from 'chai';
import type { Native } from '../../native/supervisor.d.ts';
import { parseArguments } from '../../supervisor/args.ts';
import type { Options } from '../../supervisor/config/options.ts';
import type { Log } from '../../supervisor/log.ts';
import { MachineSocket } from '../../supervisor/machine-socket.ts';
import { UsageError } from '../../supervisor/usage-error.ts';

const SO_TYPE = 3;
const SOCK_STREAM = 1;
const EBADF = 9;
const EAGAIN = 11;
const ENOENT = 2;
const ENOTTY = 25;
const ENOTSOCK = 88;
const ECONNREFUSED = 111;

function complaint(...argv: string[]): string {
  try {
    parseArguments('/usr/bin/passt', argv);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  return 'accepted';
}

function options(...argv: string[]): Options {
  const invocation = parseArguments('passt', argv);
  if (invocation.kind !== 'run') throw new Error('no run');
  return invocation.options;
}

/** The system's sockets: who listens where, and who comes. */
class World {
  readonly listening = new Set<string>();
  readonly stale = new Set<string>();
  readonly comers: { fd: number; pid: number; uid: number }[] = [];
  readonly given: number[] = [];
  readonly give = (fd: number, isTap: boolean): number => {
    if (isTap) this.set.push(`${fd} is a tap`);
    return this.given.push(fd);
  };
  readonly closed: number[] = [];
  /** SO_TYPE of descriptors, or −errno. */
  readonly types = new Map<number, number>();
  /** IFF_* of descriptors that are tun devices. */
  readonly devices = new Map<number, number>();
  /** Sockets whose other end has left. */
  readonly left = new Set<number>();
  /** What sockets were told. */
  readonly set: string[] = [];
  /** SO_ACCEPTCONN of each. */
  listens = 0;
  readonly lines: string[] = [];
  ended = 0;
  bound: string | null = null;
  #readable: () => void = () => {};

  machine(...argv: string[]): MachineSocket {
    const native = {
      localConnect: (path: string) => (this.listening.has(path) ? 50 : this.stale.has(path) ? -ECONNREFUSED : -ENOENT),
      localListen: (path: string) => {
        this.bound = path;
        return 7;
      },
      hungUp: (fd: number) => Number(this.left.has(fd)),
      localAccept: () => this.comers.shift() ?? -EAGAIN,
      watch: (_fd: number, readable: () => void) => {
        this.#readable = readable;
        return { stop: () => {} };
      },
      close: (fd: number) => this.closed.push(fd),
      socketOption: (fd: number, _level: number, name: number) => (name === SO_TYPE ? (this.types.get(fd) ?? SOCK_STREAM) : this.listens),
      setSocketOption: (fd: number, _level: number, name: number, value: number) => this.set.push(`${fd} ${name} ${value}`),
      tapFlags: (fd: number) => this.devices.get(fd) ?? -ENOTTY,
      setNonBlocking: (fd: number) => this.set.push(`${fd} non-blocking`),
    } as unknown as Native;
    const say = (line: string): number => this.lines.push(line);
    const log = { info: say, warning: say } as unknown as Log;
    return new MachineSocket({ native, log, options: options('-f', ...argv), ended: () => this.ended++ });
  }

  come(fd: number): void {
    this.comers.push({ fd, pid: 4711, uid: 1000 });
    this.#readable();
  }
}

describe('supervisor: machines', () => {
  it('have options of their own, and each wrong value its line', () => {
    expect(complaint('-f')).to.equal('accepted');
    expect(complaint('-f', 'sleep')).to.equal("'sleep': passt runs nothing and takes no arguments; leave it out");
    expect(complaint('-F', '9', '-s', '/x')).to.equal(
      '--fd is a connected socket already, and --socket a path to listen at; give one of the two',
    );
    expect(complaint('--fd', 'x')).to.equal("--fd 'x': is no descriptor; give its number");
    expect(complaint('--fd', '2')).to.equal("--fd '2': is a standard descriptor; give one from 3 on");
    expect(complaint('-s', '/x', '-s', '/y')).to.equal("--socket '/y': '/x' was given before; give one path");
    expect(complaint('-s', '')).to.equal("--socket '': is no path");
    expect(options('-f').splice).to.equal(false);
  });

  it('connect at the path that was given, else at the first where nobody listens', () => {
    const world = new World();
    expect(world.machine('-s', '/run/x.socket').path).to.equal('/run/x.socket');
    world.listening.add('/tmp/passt_1.socket');
    world.stale.add('/tmp/passt_2.socket');
    expect(world.machine().path).to.equal('/tmp/passt_2.socket');
    expect(world.bound).to.equal('/tmp/passt_2.socket');
    expect(world.closed).to.deep.equal([50]);
  });

  it('are served one at a time, the next one after the first has gone', () => {
    const world = new World();
    const machine = world.machine('-s', '/x');
    machine.start(world.give);
    world.come(20);
    world.come(21);
    expect(world.given).to.deep.equal([20]);
    expect(world.closed).to.deep.equal([21]);
    machine.gone(0);
    expect(world.closed).to.deep.equal([21, 20]);
    world.come(22);
    expect(world.given).to.deep.equal([20, 22]);
    expect(world.ended).to.equal(0);
    expect(world.lines).to.deep.equal([
      'Machine connected, process 4711',
      'process 4711 was sent away: a machine is connected already',
      'The machine has closed its socket',
      'Machine connected, process 4711',
    ]);
  });

  it('wait when the one before has left and the worker does not know it yet; who leaves while it waits loses its turn', () => {
    const world = new World();
    const machine = world.machine('-s', '/x');
    machine.start(world.give);
    world.come(20);
    world.left.add(20);
    world.come(21);
    world.come(22);
    world.left.add(21);
    world.come(23);
    expect([world.given, world.closed]).to.deep.equal([[20], [22, 21]]);
    machine.gone(0);
    expect([world.given, world.closed]).to.deep.equal([
      [20, 23],
      [22, 21, 20],
    ]);
    machine.gone(0);
    world.come(24);
    expect(world.given).to.deep.equal([20, 23, 24]);
  });

  it('end the run with the first that goes, where that was asked for or its socket was given', () => {
    for (const argv of [
      ['-1', '-s', '/x'],
      ['-F', '9'],
    ]) {
      const world = new World();
      const machine = world.machine(...argv);
      machine.start(world.give);
      if (argv.length === 3) world.come(20);
      expect(world.given).to.have.length(1);
      machine.gone(104);
      expect(world.ended).to.equal(1);
    }
  });

  it('have sockets that never block, with large buffers, also one that was handed in', () => {
    const world = new World();
    world.machine('-F', '9').start(world.give);
    expect(world.set).to.deep.equal(['9 non-blocking', '9 7 1073741824', '9 8 1073741824']);
  });

  it('can be a tap that somebody has made, persistent or not, with frames and nothing before them', () => {
    for (const flags of [0x1002, 0x1802]) {
      const world = new World();
      world.types.set(9, -ENOTSOCK);
      world.devices.set(9, flags);
      world.machine('-F', '9').start(world.give);
      expect(world.set).to.deep.equal(['9 non-blocking', '9 is a tap']);
    }
    for (const flags of [0x5002, 0x1001, 0x0002]) {
      const world = new World();
      world.types.set(9, -ENOTSOCK);
      world.devices.set(9, flags);
      expect(() => world.machine('-F', '9')).to.throw(
        UsageError,
        /is a device with flags 0x.*; give a tap that was made with IFF_TAP \| IFF_NO_PI alone/,
      );
    }
  });

  it('are told by one line of a descriptor that is none of theirs', () => {
    const said = (prepare: (world: World) => void): string => {
      const world = new World();
      prepare(world);
      try {
        world.machine('-F', '9');
      } catch (error) {
        return (error as UsageError).message;
      }
      return 'accepted';
    };
    expect(said((world) => world.types.set(9, -EBADF))).to.equal(
      "descriptor 9 is not open here; start us with the machine's socket as descriptor 9",
    );
    expect(said((world) => world.types.set(9, -ENOTSOCK))).to.equal(
      'descriptor 9 is neither a socket nor a tap; give a connected stream socket',
    );
    expect(said((world) => world.types.set(9, 2))).to.equal('descriptor 9 is a socket of another type; give a connected stream socket');
    expect(
      said((world) => {
        world.listens = 1;
      }),
    ).to.equal('descriptor 9 is a socket that listens; give a connected one, or a path to listen at with --socket');
  });
});
