/**
 * Policies against the code they are for: no call or option is allowed that no code uses, and none is used that isn't allowed.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { readNumbers } from '../../policies/compile.ts';
import { CONSTANTS } from '../../policies/constants.ts';
import { argumentNames } from '../../policies/signatures.ts';
import { OURS, policyOf, ROOMS } from '../support/policies.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const POLICIES = ROOMS.map((room) => readFileSync(join(ROOT, `policies/${room}.policy`), 'utf8')).join('\n');

function sources(folder: string, ending: string): string {
  const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith(ending));
  return files.map((file) => readFileSync(join(ROOT, folder, file), 'utf8')).join('\n');
}

/** Names of the options that the lines about `call` allow. */
function optionsOf(room: string, call: string): string[] {
  const lines = readFileSync(join(ROOT, `policies/${room}.policy`), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(`${call}: allow`));
  return lines
    .flatMap(
      (line) =>
        line
          .replace(/#.*/, '')
          .match(/optname.*/)?.[0]
          .match(/[A-Z][A-Z0-9_]+/g) ?? [],
    )
    .sort();
}

function unique(names: Iterable<string | undefined>): string[] {
  return [...new Set(names)].filter((name) => name !== undefined).sort();
}

/** What the addon and libc do for it before the seal, never after. */
const BEFORE_SEALING = ['prctl', 'epoll_create1', 'pipe2', 'fcntl'];

describe('policies and the code', () => {
  it('the worker may set and read exactly the socket options that it does', () => {
    const code = sources('worker', '.ts');
    const set = unique([...code.matchAll(/\bsetOption\([^;]*?,\s*\w+,\s*(\w+),/g)].map((match) => match[1]));
    const read = unique([...code.matchAll(/\bgetOption(?:Bytes)?\([^;]*?,\s*\w+,\s*(\w+)[,)]/g)].map((match) => match[1]));
    const inAddon = /\.setAbortive\(/.test(code) ? ['SO_LINGER'] : [];
    expect(optionsOf('worker', 'setsockopt')).to.deep.equal([...set, ...inAddon].sort());
    expect(optionsOf('worker', 'getsockopt')).to.deep.equal(read);
  });

  it('an opener may set exactly the socket options that it does', () => {
    const code = sources('native/opener', '.c').replace(/\/\*[\s\S]*?\*\//g, '');
    const set = unique([...code.matchAll(/\b(?:SO|TCP|UDP|IP|IPV6)_[A-Z0-9_]+\b/g)].map((match) => match[0])).filter(
      (name) => name in CONSTANTS,
    );
    expect(optionsOf('opener', 'setsockopt')).to.deep.equal(set);
    const unknown = unique([...code.matchAll(/set_option\([^;]*?,\s*(\w+),[^,;]*\)/g)].map((match) => match[1])).filter(
      (name) => !/^[a-z]/.test(name) && !(name in CONSTANTS),
    );
    expect(unknown).to.deep.equal([]);
  });

  it('the worker may make every system call that its addon is linked to', () => {
    const numbers = readNumbers(OURS);
    const imports = execFileSync('nm', ['-D', '--undefined-only', join(ROOT, 'native/out/worker.node')], { encoding: 'utf8' });
    const direct = [...readFileSync(join(ROOT, 'native/worker/calls.h'), 'utf8').matchAll(/syscall\(SYS_(\w+)/g)];
    const calls = [...imports.matchAll(/ U (\w+?)(?:@|$)/gm), ...direct]
      .map((match) => match[1] as string)
      .filter((name) => numbers[name] !== undefined);
    expect(calls).to.include.members(['recvfrom', 'sendto', 'epoll_pwait']);
    const allowed = new Set(policyOf('worker', OURS).rules.map((rule) => rule.call));
    const missing = calls.filter((name) => !allowed.has(name) && !BEFORE_SEALING.includes(name));
    expect(missing).to.deep.equal([]);
  });

  it('no constant and no signature is left over', () => {
    for (const name of Object.keys(CONSTANTS)) expect(POLICIES, name).to.match(new RegExp(`\\b${name}\\b`));
    const text = readFileSync(join(ROOT, 'policies/signatures.ts'), 'utf8');
    for (const [, call] of text.matchAll(/^ {2}(\w+): '/gm)) {
      expect(argumentNames(call as string)).to.not.have.lengthOf(0);
      expect(POLICIES, call).to.match(new RegExp(`^(\\[\\w+\\] )?${call}: .* if `, 'm'));
    }
  });
});
