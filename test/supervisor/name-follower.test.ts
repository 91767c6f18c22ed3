/** Who is told of a new resolver, in which order, and what is permitted. */
import { expect } from 'chai';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatAddress, parseAddress } from '../../shared/addresses.ts';
import { type NameOptions, planNameService } from '../../supervisor/config/name-service.ts';
import { NO_RESOLVERS, readResolvers } from '../../supervisor/host/resolvers.ts';
import { NameFollower } from '../../supervisor/name-follower.ts';

const address = (text: string): Uint8Array => parseAddress(text) as Uint8Array;
const NONE = new Uint8Array(0);
const MAPPING = { ipv4: true, ipv6: true, mapHostLoopback4: NONE, mapHostLoopback6: NONE };
const FORWARD4 = '169.254.1.1';
const FORWARDING: NameOptions = {
  dns: null,
  search: null,
  dnsForward4: address(FORWARD4),
  dnsForward6: null,
  dnsHost4: null,
  dnsHost6: null,
  advertiseDns: false,
  advertiseSearch: false,
};
const ADVISING: NameOptions = { ...FORWARDING, dnsForward4: null, advertiseDns: true, advertiseSearch: true };

function shown(bytes: Uint8Array | null | undefined): string {
  return bytes === null || bytes === undefined || bytes.length === 0 ? '-' : formatAddress(bytes);
}

/** A follower over a file of its own, and what it tells whom. */
class Bench {
  readonly folder = mkdtempSync(join(tmpdir(), 'name-follower-'));
  readonly path = join(this.folder, 'resolv.conf');
  readonly told: string[] = [];
  readonly worker = {
    isOpen: true,
    setResolvers: (said: {
      forward4?: Uint8Array | null;
      host4?: Uint8Array | null;
      forward6?: Uint8Array | null;
      host6?: Uint8Array | null;
      servers?: Uint8Array[] | null;
      search?: string[] | null;
    }) => {
      const advice = [...(said.servers ?? []).map(shown), ...(said.search ?? [])].map((word) => ` ${word}`).join('');
      this.tell(`worker ${shown(said.forward4)}>${shown(said.host4)} ${shown(said.forward6)}>${shown(said.host6)}${advice}`);
    },
  };
  readonly opener = {
    setResolver: (family: 4 | 6, said: Uint8Array | null) => {
      if (this.openerGone) throw new Error('the opener is gone');
      this.tell(`opener ${family} ${shown(said)}`);
    },
  };
  openerGone = false;
  #follower: NameFollower | null = null;
  #wanted: { pattern: RegExp; resolve: () => void } | null = null;

  tell(line: string): void {
    this.told.push(line);
    if (this.#wanted?.pattern.test(line)) this.#wanted.resolve();
  }

  start(text: string, options: NameOptions = FORWARDING): void {
    writeFileSync(this.path, text);
    const first = planNameService(options, readResolvers(this.path) ?? NO_RESOLVERS, MAPPING);
    this.#follower?.stop();
    this.#follower = new NameFollower(
      {
        options,
        mapping: MAPPING,
        opener: this.opener,
        worker: this.worker,
        log: { info: (line) => this.tell(line), warning: (line) => this.tell(`warning: ${line}`) },
        failed: (line) => this.tell(`failed: ${line}`),
      },
      first,
      this.path,
    );
    this.#follower.start();
  }

  /** Replaces the file, and gives what was told until a line fits. */
  async change(text: string, pattern: RegExp): Promise<string[]> {
    this.told.length = 0;
    const seen = new Promise<void>((resolve) => (this.#wanted = { pattern, resolve }));
    writeFileSync(`${this.path}.new`, text);
    renameSync(`${this.path}.new`, this.path);
    await seen;
    return this.told;
  }

  /** The host's loopback has another address on the guest's side from now on. */
  remap(mapHostLoopback4: Uint8Array): void {
    this.told.length = 0;
    this.#follower?.remap({ ...MAPPING, mapHostLoopback4 });
  }

  end(): void {
    this.#follower?.stop();
    rmSync(this.folder, { recursive: true });
  }
}

describe('supervisor/name-follower', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(() => bench.end());

  it('tells the opener of a resolver on the loopback, and then the worker', () => {
    bench.start('nameserver 127.0.0.53\n');
    expect(bench.told).to.eql(['opener 4 127.0.0.53', `worker ${FORWARD4}>127.0.0.53 ->-`]);
  });

  it('permits nothing for a resolver elsewhere', () => {
    bench.start('nameserver 192.0.2.53\n');
    expect(bench.told).to.eql([`worker ${FORWARD4}>192.0.2.53 ->-`]);
  });

  it('tells the worker what the guest is told: servers and search list, each if asked for', () => {
    bench.start('nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch a.example b.example\n', ADVISING);
    bench.start('nameserver 192.0.2.53\nsearch a.example\n', { ...ADVISING, advertiseSearch: false });
    bench.start('nameserver 192.0.2.53\nsearch a.example\n', { ...ADVISING, advertiseDns: false });
    bench.start('nameserver 192.0.2.53\nsearch a.example\n', { ...ADVISING, dns: [address('192.0.2.99')], search: ['c.example'] });
    expect(bench.told).to.eql([
      'worker ->192.0.2.53 ->2001:db8::53 192.0.2.53 2001:db8::53 a.example b.example',
      'worker ->192.0.2.53 ->- 192.0.2.53',
      'worker ->192.0.2.53 ->- a.example',
      'worker ->192.0.2.53 ->- 192.0.2.99 c.example',
    ]);
  });

  it('tells the worker of a change of what the guest is told', async () => {
    bench.start('nameserver 192.0.2.53\nsearch a.example\n', ADVISING);
    expect(await bench.change('nameserver 192.0.2.53\nsearch b.example c.example\n', /from now on/)).to.eql([
      'worker ->192.0.2.53 ->- 192.0.2.53 b.example c.example',
      'the guest is told from now on: DNS 192.0.2.53, search list b.example, c.example',
    ]);
  });

  it('permits nothing in a family that has no address for it', () => {
    bench.start('nameserver 192.0.2.53\nnameserver ::1\n');
    expect(bench.told).to.eql([`worker ${FORWARD4}>192.0.2.53 ->::1`]);
  });

  it('tells nobody anything when nothing is forwarded', () => {
    bench.start('nameserver 127.0.0.53\n', { ...FORWARDING, dnsForward4: null });
    expect(bench.told).to.eql([]);
  });

  it('takes the permission back with a change, before the worker learns of it', async () => {
    bench.start('nameserver 127.0.0.53\n');
    expect(await bench.change('nameserver 192.0.2.53\n', /go to/)).to.eql([
      'opener 4 -',
      `worker ${FORWARD4}>192.0.2.53 ->-`,
      `DNS queries to ${FORWARD4} go to 192.0.2.53`,
    ]);
    expect(await bench.change('nameserver 127.0.0.54\n', /go to/)).to.eql([
      'opener 4 127.0.0.54',
      `worker ${FORWARD4}>127.0.0.54 ->-`,
      `DNS queries to ${FORWARD4} go to 127.0.0.54`,
    ]);
  });

  it('says once that there is no resolver any more', async () => {
    bench.start('nameserver 127.0.0.53\n');
    expect(await bench.change('# none\n', /warning/)).to.eql([
      'opener 4 -',
      `worker ${FORWARD4}>- ->-`,
      `warning: DNS queries to ${FORWARD4} are refused: /etc/resolv.conf names no IPv4 server; give one with --dns-host`,
    ]);
  });

  it('says nothing of a change that makes no difference, nor of a file that is gone', async () => {
    bench.start('nameserver 127.0.0.53\n');
    writeFileSync(bench.path, 'nameserver 127.0.0.53\nnameserver 192.0.2.54\n');
    rmSync(bench.path);
    expect(await bench.change('search a\nnameserver 127.0.0.55\n', /go to/)).to.have.length(3);
  });

  it('keeps a resolver that was named by option', () => {
    bench.start('nameserver 192.0.2.53\n', { ...FORWARDING, dnsHost4: address('127.0.0.1') });
    expect(bench.told).to.eql(['opener 4 127.0.0.1', `worker ${FORWARD4}>127.0.0.1 ->-`]);
  });

  it('an opener that can not be told ends the run', async () => {
    bench.start('nameserver 192.0.2.53\n');
    bench.openerGone = true;
    expect(await bench.change('nameserver 127.0.0.53\n', /failed/)).to.eql(['failed: the opener is gone']);
  });

  it('tells of the address that stands for a resolver on the loopback when that has become another one', () => {
    bench.start('nameserver 127.0.0.53\n', ADVISING);
    bench.remap(address('203.0.113.1'));
    expect(bench.told).to.eql([
      'opener 4 127.0.0.53',
      'worker 203.0.113.1>127.0.0.53 ->- 203.0.113.1',
      'the guest is told from now on: DNS 203.0.113.1',
      'DNS queries to 203.0.113.1 go to 127.0.0.53',
    ]);
    bench.remap(address('203.0.113.1'));
    expect(bench.told).to.eql([]);
  });

  it('is not concerned by another address of the loopback where the resolver is named by option', () => {
    bench.start('nameserver 192.0.2.53\n', { ...FORWARDING, dnsHost4: address('127.0.0.1') });
    bench.remap(address('203.0.113.1'));
    expect(bench.told).to.eql([]);
  });
});
