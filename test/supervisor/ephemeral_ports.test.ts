import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readEphemeralPorts } from '../../supervisor/host/ephemeral-ports.ts';

describe('supervisor/host/ephemeral-ports', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ports-'));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  function read(text: string): unknown {
    const path = join(folder, 'ip_local_port_range');
    writeFileSync(path, text);
    return readEphemeralPorts(path);
  }

  it("are the kernel's", () => {
    expect(read('32768\t60999\n')).to.deep.equal({ first: 32_768, last: 60_999 });
    expect(read('1024 1024')).to.deep.equal({ first: 1024, last: 1024 });
    expect(readEphemeralPorts()).to.have.keys('first', 'last');
  });

  for (const text of ['', '5\n', '9 8\n', '0 9\n', '1 65536\n', 'x y\n', '1 2 3\n'])
    it(`those of RFC 6335 stand in place of ${JSON.stringify(text)}`, () => {
      expect(read(text)).to.deep.equal({ first: 49_152, last: 65_535 });
    });

  it('and where there is no such file', () => {
    expect(readEphemeralPorts(join(folder, 'none'))).to.deep.equal({ first: 49_152, last: 65_535 });
  });
});
