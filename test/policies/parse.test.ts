import { expect } from 'chai';
import { type Architecture, parsePolicy } from '../../policies/parse.ts';

const NUMBERS = { read: 0, mmap: 9, openat: 257 };
const HEAD = 'default kill  # why\nforeign kill  # why\n';

function parse(body: string, architecture: Architecture = 'x86_64') {
  return parsePolicy(HEAD + body, architecture, NUMBERS);
}

describe('policies/parse', () => {
  it('reads a decision, its condition and its reason', () => {
    const [plain, conditional, soft] = parse(
      'read: allow  # frames\nmmap: allow if prot & PROT_EXEC == 0  # heap\nopenat: errno ENOENT  # no file\n',
    ).rules;
    expect(plain).to.include({ line: 3, call: 'read', number: 0, reason: 'frames', condition: undefined });
    expect(conditional?.condition).to.deep.equal({
      kind: 'compare',
      argument: { index: 2, width: 64 },
      mask: 4n,
      relation: '==',
      value: 0n,
    });
    expect(soft?.action).to.deep.equal({ kind: 'errno', errno: 2 });
  });

  it('keeps a line for another architecture out, even when that one lacks the call', () => {
    expect(parse('[aarch64] elsewhere: allow  # why').rules).to.deep.equal([]);
    expect(() => parse('[aarch64] elsewhere: allow  # why', 'aarch64')).to.throw("line 3: aarch64 has no system call 'elsewhere'");
  });

  const wrong: readonly (readonly [string, string])[] = [
    ['read: allow', "line 3: 'read: allow' is not `CALL: ACTION [if CONDITION]  # REASON`; every line needs its reason"],
    ['read: allow  #   ', 'every line needs its reason'],
    ['read: permit  # why', "line 3: 'permit' is no action"],
    ['read: errno EOOPS  # why', "'EOOPS' is no known errno"],
    ['read: errno PROT_READ  # why', "'PROT_READ' is no known errno"],
    ['reed: allow  # why', "x86_64 has no system call 'reed'"],
    ['[sparc] read: allow  # why', '[sparc] is no architecture'],
    ['fallback kill  # why', "'fallback' is no directive"],
    ['default allow  # why', 'a second `default`'],
    ['read: allow if fd == 1  # why', "'fd' is no argument of read"],
    ['mmap: allow if prot == 0 if flags == 0  # why', 'a second `if`'],
    ['read: allow  # why\nread: errno EPERM  # why', 'line 4: never reached, line 3 already decides every read'],
    ['read: kill  # why', 'line 3: read would be decided so by the default'],
  ];
  for (const [line, message] of wrong) {
    it(`refuses \`${line.replace('\n', '\\n')}\``, () => {
      expect(() => parse(line)).to.throw(message);
    });
  }

  it('refuses a policy that is silent about foreign calls', () => {
    expect(() => parsePolicy('default kill  # why\nread: allow  # why\n', 'x86_64', NUMBERS)).to.throw('one `foreign ACTION`');
  });
});
