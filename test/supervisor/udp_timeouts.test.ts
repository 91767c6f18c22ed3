import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readUdpTimeouts } from '../../supervisor/host/udp-timeouts.ts';

describe('supervisor/host/udp-timeouts', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'conntrack-'));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  it('are those of the kernel, in milliseconds, each by itself', () => {
    writeFileSync(join(folder, 'nf_conntrack_udp_timeout'), '7\n');
    expect(readUdpTimeouts(folder)).to.deep.equal({ unanswered: 7000, answered: 120_000 });
    writeFileSync(join(folder, 'nf_conntrack_udp_timeout_stream'), '2147483\n');
    expect(readUdpTimeouts(folder)).to.deep.equal({ unanswered: 7000, answered: 1_000_000_000 });
  });

  for (const text of ['', '0\n', '-1\n', 'x\n'])
    it(`the default stands in place of ${JSON.stringify(text)}, which keeps nothing`, () => {
      writeFileSync(join(folder, 'nf_conntrack_udp_timeout'), text);
      expect(readUdpTimeouts(folder).unanswered).to.equal(30_000);
    });
});
