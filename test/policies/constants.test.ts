/**
 * Numbers against the C headers of the machine: the symbols of constants.ts and the tables of system calls.
 */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { readNumbers } from '../../policies/compile.ts';
import { CONSTANTS } from '../../policies/constants.ts';
import { AUDIT_ARCHITECTURE } from '../../policies/generate.ts';
import { OURS } from '../support/policies.ts';

const HEADERS = [
  'errno.h',
  'sched.h',
  'fcntl.h',
  'poll.h',
  'sys/mman.h',
  'sys/personality.h',
  'sys/socket.h',
  'sys/epoll.h',
  'sys/ioctl.h',
  'netinet/in.h',
  'netinet/tcp.h',
  'netinet/udp.h',
  'linux/futex.h',
  'linux/sockios.h',
  'linux/audit.h',
  'sys/syscall.h',
];

/** What the symbol means to no header; the rest must come from one. */
const OWN: Readonly<Record<string, bigint>> = { PERSONALITY_QUERY: 0xffff_ffffn };
/** Symbols younger than Debian 12's libc, with their values in <linux/…>. */
const YOUNGER: Readonly<Record<string, bigint>> = { SO_MEMINFO: 55n };

/** The preprocessor's and compiler's values of C expressions, from the headers above. */
function valuesOf(names: readonly string[], flags: readonly string[] = []): Map<string, bigint> {
  const source = [
    '#define _GNU_SOURCE',
    ...HEADERS.map((header) => `#include <${header}>`),
    ...names.map((name) => `unsigned long long value_${name} = (unsigned long long)(${name});`),
  ].join('\n');
  const assembly = execFileSync('cc', ['-S', '-O0', '-x', 'c', ...flags, '-o', '-', '-'], { input: source, encoding: 'utf8' });
  const found = new Map<string, bigint>();
  for (const block of assembly.split(/^value_/m).slice(1)) {
    const value = /^(\w+):\s+\.(?:quad|xword|zero|zerofill)\s+(-?\d+)/.exec(block);
    if (value !== null)
      found.set(value[1] as string, /\.zero/.test(block.slice(0, 80)) ? 0n : BigInt.asUintN(64, BigInt(value[2] as string)));
  }
  return found;
}

describe('policies/constants', () => {
  it('has the values of the C headers', () => {
    const names = Object.keys(CONSTANTS).filter((name) => !(name in OWN) && !(name in YOUNGER));
    const values = valuesOf(names);
    for (const name of names) expect(CONSTANTS[name], name).to.equal(values.get(name));
    for (const [name, value] of Object.entries({ ...OWN, ...YOUNGER })) expect(CONSTANTS[name], name).to.equal(value);
  });

  it('knows the architectures by the words of <linux/audit.h>', () => {
    const values = valuesOf(['AUDIT_ARCH_X86_64', 'AUDIT_ARCH_AARCH64']);
    expect(BigInt(AUDIT_ARCHITECTURE.x86_64)).to.equal(values.get('AUDIT_ARCH_X86_64'));
    expect(BigInt(AUDIT_ARCHITECTURE.aarch64)).to.equal(values.get('AUDIT_ARCH_AARCH64'));
  });
});

/** The calls of Linux 6.6 and later have one number on all architectures (scripts/syscall.tbl of the kernel). */
const FIRST_SHARED = 424;

describe('policies/<architecture>.json', () => {
  it('has the numbers of <sys/syscall.h>', () => {
    const numbers = readNumbers(OURS);
    const defines = execFileSync('cc', ['-E', '-dM', '-x', 'c', '-'], { input: '#include <sys/syscall.h>\n', encoding: 'utf8' });
    const here = [...defines.matchAll(/^#define SYS_(\w+) /gm)].map((match) => match[1] as string);
    const values = valuesOf(here.map((name) => `SYS_${name}`));
    expect(here.length).to.be.greaterThan(250);
    for (const name of here)
      expect(numbers[name] === undefined ? undefined : BigInt(numbers[name]), name).to.equal(values.get(`SYS_${name}`));
  });

  it('agree on every call of the shared range', () => {
    const [one, other] = [readNumbers('x86_64'), readNumbers('aarch64')];
    for (const [name, number] of Object.entries(one)) if (number >= FIRST_SHARED) expect(other[name], name).to.equal(number);
  });

  it('names each number once', () => {
    for (const architecture of ['x86_64', 'aarch64'] as const) {
      const numbers = Object.values(readNumbers(architecture));
      expect(new Set(numbers).size).to.equal(numbers.length);
    }
  });
});
