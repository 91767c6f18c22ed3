/**
 * The product under the profiles of apparmor/, enforced by Debian 12's kernel: everything works with no denial, and what a room that was
 * taken over tries is denied, once each, by the profile alone.
 */
import { expect } from 'chai';
import { type Hardened, runHardened, SHARED_ROOT, type Trespass } from '../support/hardened_guest.ts';

const TRESPASSES: readonly Trespass[] = [
  ...['read-file', 'write-file', 'read-process', 'execute', 'trace', 'end-process', 'mount', 'new-mounts', 'become-user'].map(
    (attack): Trespass => ['pasta.worker', attack],
  ),
  ...['netlink-socket', 'packet-socket', 'raw-socket', 'vsock', 'shed-label'].map((attack): Trespass => ['pasta.worker', attack]),
  ['passt.worker', 'open-tap'],
  ...['read-file', 'write-file', 'execute', 'trace', 'end-process', 'packet-socket'].map((attack): Trespass => ['pasta.opener', attack]),
  ['passt.opener', 'open-tap'],
  ['passt.opener', 'netlink-socket'],
  ['passt.jail', 'execute'],
  ['passt.jail', 'write-file'],
  ['passt.jail', 'mount'],
  ['passt', 'execute'],
  ['passt', 'open-tap'],
  ['passt', 'mount'],
  ['pasta', 'execute'],
  ['pasta', 'new-mounts'],
];

describe('AppArmor', function () {
  this.timeout(600_000);
  let hardened: Hardened;

  before(async () => {
    const policy = {
      security: 'apparmor',
      append: 'apparmor=1 security=apparmor',
      files: {},
      root: SHARED_ROOT,
      denial: /apparmor="DENIED"/,
    } as const;
    hardened = await runHardened(policy, TRESPASSES, 580_000);
  });

  it('lets everything work', () => {
    expect(hardened.cases, hardened.output).to.have.length.above(5);
    expect(
      hardened.cases.filter((line) => !line.startsWith('ok ')),
      hardened.output,
    ).to.deep.equal([]);
  });

  it('has denied nothing by then', () => {
    expect(hardened.denials).to.deep.equal([]);
  });

  TRESPASSES.forEach(([profile, attack], at) => {
    it(`denies ${profile}: ${attack}`, () => {
      const { worked, denials } = hardened.trespasses[at] as Hardened['trespasses'][number];
      expect({ worked, denials: denials.length }, denials.join('\n')).to.deep.equal({ worked: false, denials: 1 });
      expect(denials[0]).to.contain(`profile="${profile}"`);
    });
  });
});
