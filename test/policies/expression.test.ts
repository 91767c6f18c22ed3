import { expect } from 'chai';
import { parseCondition } from '../../policies/expression.ts';
import { holds } from '../support/policy_oracle.ts';

/** Does the condition hold for a call whose first arguments are these? */
function judge(call: string, text: string, ...values: bigint[]): boolean {
  return holds(parseCondition(call, text), [...values, 0n, 0n, 0n, 0n, 0n, 0n].slice(0, 6));
}

describe('policies/expression', () => {
  it('compares an int by its 32 bits, as the kernel reads it', () => {
    expect(judge('socket', 'domain == AF_INET', 0xdead_0000_0000_0002n)).to.equal(true);
  });

  it('compares a long whole', () => {
    expect(judge('mprotect', 'prot == PROT_READ', 0n, 0n, 0x1_0000_0001n)).to.equal(false);
  });

  it('binds && tighter than ||, and obeys parentheses', () => {
    expect(judge('socket', 'domain == 2 || domain == 10 && type == 1', 2n, 7n)).to.equal(true);
    expect(judge('socket', '(domain == 2 || domain == 10) && type == 1', 2n, 7n)).to.equal(false);
  });

  it('takes | and ~ in values, and sets', () => {
    expect(judge('mprotect', 'prot & ~(PROT_READ | PROT_WRITE) == 0', 0n, 0n, 3n)).to.equal(true);
    expect(judge('mprotect', 'prot & ~(PROT_READ | PROT_WRITE) == 0', 0n, 0n, 7n)).to.equal(false);
    expect(judge('madvise', 'advice in {4, 8}', 0n, 0n, 8n)).to.equal(true);
    expect(judge('madvise', 'advice in {4, 8}', 0n, 0n, 9n)).to.equal(false);
  });

  const wrong: readonly (readonly [string, string])[] = [
    ['type == SOCK_SEQPACKETS', "'SOCK_SEQPACKETS' is no number or known constant"],
    ['kind == 1', "'kind' is no argument of socket; known: domain, type, protocol"],
    ['type = 1', "'= 1' is not part of a condition"],
    ['type == 1 type == 2', "unexpected 'type'"],
    ['(type == 1', "'' stands where ')' is needed"],
    ['type & 1 == 2', 'type can never be 2 under mask 0x1'],
    ['type == 0x100000000', 'type can never be 4294967296 under mask 0xffffffff'],
    ['type', "'' is no relation"],
  ];
  for (const [text, message] of wrong) {
    it(`refuses \`${text}\``, () => {
      expect(() => parseCondition('socket', text)).to.throw(message);
    });
  }
});
