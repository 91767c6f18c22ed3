/**
 * Who may import whom: the rooms share nothing but the treaty, and inside the worker knowledge goes one way.
 */
import { expect } from 'chai';
import { codeOf, exists, FILES, files, importsOf, linesLike, read, roomOf } from './tree.ts';

const SOURCES = files(['shared', 'supervisor', 'worker', 'policies', 'native', 'build', 'bench'], '.ts');

/** What a room may import besides itself. `node:` and packages are listed by name; a room that is not here may import anything. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  shared: ['protobufjs/minimal'],
  'worker/wire': ['shared'],
  'worker/link': ['shared', 'native/worker.d.ts', 'worker/wire'],
  'worker/flow': ['shared', 'native/worker.d.ts', 'worker/wire', 'worker/link'],
  'worker/local': ['shared', 'worker/wire', 'worker/link', 'worker/flow'],
  'worker/tcp': ['shared', 'worker/wire', 'worker/link', 'worker/flow'],
  'worker/udp': ['shared', 'worker/wire', 'worker/link', 'worker/flow'],
  'worker/icmp': ['shared', 'worker/wire', 'worker/link', 'worker/flow'],
  'worker/splice': ['shared', 'worker/wire', 'worker/link', 'worker/flow'],
  'worker/fragment': ['shared', 'worker/wire', 'worker/link', 'worker/flow'],
  // The world: only the files at the top touch it, and of the runtime they need its loader alone.
  worker: ['shared', 'native/worker.d.ts', 'worker/*', 'node:module'],
  supervisor: ['shared', 'native/supervisor.d.ts', 'node:*', 'bunyan', 'node-pty', 'protobufjs/minimal.js', 'smol-toml'],
  policies: ['node:*'],
};

function permitted(room: string, target: string): boolean {
  const rules = ALLOWED[room];
  if (rules === undefined || roomOf(target) === room) return true;
  return rules.some((rule) => (rule.endsWith('*') ? target.startsWith(rule.slice(0, -1)) : target === rule || roomOf(target) === rule));
}

/** Modules on a circle of imports, in order; empty when there is none. */
function findCycle(): string[] {
  const state = new Map<string, 'open' | 'done'>();
  const visit = (path: string, trail: readonly string[]): string[] => {
    if (state.get(path) === 'done') return [];
    if (state.get(path) === 'open') return [...trail.slice(trail.indexOf(path)), path];
    state.set(path, 'open');
    for (const target of importsOf(path, true)) {
      const cycle = SOURCES.includes(target) ? visit(target, [...trail, path]) : [];
      if (cycle.length > 0) return cycle;
    }
    state.set(path, 'done');
    return [];
  };
  for (const path of SOURCES) {
    const cycle = visit(path, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}

describe('arch: imports', () => {
  for (const room of Object.keys(ALLOWED)) {
    it(`${room} imports only what it may`, () => {
      const own = SOURCES.filter((path) => roomOf(path) === room);
      expect(own, `no files in ${room}`).to.not.have.length(0);
      const wrong = own.flatMap((path) =>
        importsOf(path)
          .filter((target) => !permitted(room, target))
          .map((target) => `${path} imports ${target}`),
      );
      expect(wrong).to.deep.equal([]);
    });
  }

  it('every relative import names an existing file, with its ending', () => {
    const missing = FILES.filter((path) => path.endsWith('.ts')).flatMap((path) =>
      importsOf(path)
        .filter((target) => target.includes('/') && FILES.some((file) => file.startsWith(`${target.split('/')[0]}/`)))
        .filter((target) => !exists(target) && !target.endsWith('.node'))
        .map((target) => `${path} imports ${target}`),
    );
    expect(missing).to.deep.equal([]);
  });

  it('no module needs itself to be loaded', () => {
    expect(findCycle()).to.deep.equal([]);
  });

  it('no file is a barrel or an attic', () => {
    const attics = /(^|\/)(index|utils?|helpers?|common|types|misc|manager|service|base)\.(ts|js|c|h)$/;
    expect(FILES.filter((path) => attics.test(path))).to.deep.equal([]);
    expect(linesLike(SOURCES, /^export (\*|\{[^}]*\}) from /)).to.deep.equal([]);
  });

  it('the pure folders know neither Buffer nor process nor console nor a clock', () => {
    const pure = SOURCES.filter((path) => /^worker\/\w+\//.test(path));
    const named = pure.filter((path) =>
      /\b(Buffer|process|console|require|globalThis|setTimeout|Date|performance|Math\.random)\b/.test(
        codeOf(path).replace(/'[^'\n]*'/g, "''"),
      ),
    );
    expect(named).to.deep.equal([]);
    expect(JSON.parse(read('tsconfig.pure.json')).compilerOptions.types).to.deep.equal([]);
    const covered = JSON.parse(read('tsconfig.pure.json')).include as string[];
    expect([...new Set(pure.map(roomOf))].filter((room) => !covered.includes(room))).to.deep.equal([]);
  });
});
