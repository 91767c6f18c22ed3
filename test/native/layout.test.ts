import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OPENER_ANSWER, OPENER_REQUEST } from '../../shared/limits.ts';
import { OpenerAnswer, OpenerRequest, Verb } from '../../shared/opener.ts';

describe('native/opener/request.h and shared/opener.ts', () => {
  it('describe the same request, answer and verbs', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ravioli-layout-'));
    const lines = [
      ...Object.keys(OpenerRequest).map((name) => `offsetof(struct opener_request, ${name.toLowerCase()})`),
      ...Object.keys(OpenerAnswer).map((name) => `offsetof(struct opener_answer, ${name.toLowerCase()})`),
      ...Object.keys(Verb).map((name) => `(size_t)VERB_${name}`),
      'sizeof(struct opener_request)',
      'sizeof(struct opener_answer)',
    ];
    const program = `#include <stddef.h>\n#include <stdio.h>\n#include "request.h"\nint main(void) { printf("${'%zu '.repeat(lines.length)}", ${lines.join(', ')}); }`;
    const path = join(folder, 'layout');
    execFileSync('cc', ['-x', 'c', '-I', fileURLToPath(new URL('../../native/opener', import.meta.url)), '-o', path, '-'], {
      input: program,
    });
    const numbers = execFileSync(path).toString().trim().split(' ').map(Number);
    rmSync(folder, { recursive: true });
    expect(numbers).to.deep.equal([
      ...Object.values(OpenerRequest),
      ...Object.values(OpenerAnswer),
      ...Object.values(Verb),
      OPENER_REQUEST,
      OPENER_ANSWER,
    ]);
  });
});
