/** Whom --runas means. */
import { expect } from 'chai';
import { identityOf, isMighty, nobody } from '../../supervisor/run-as.ts';

const FILES: Readonly<Record<string, string>> = {
  '/etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533:nobody:/:/bin/false\n',
  '/etc/group': 'root:x:0:\nkvm:x:105:nobody\n',
};

describe('supervisor/run-as', () => {
  const identity = (text: string) => identityOf(text, (path) => FILES[path] as string);

  for (const [text, uid, gid] of [
    ['1000', 1000, 1000],
    ['1000:100', 1000, 100],
    ['0', 0, 0],
    ['nobody', 65534, 65533],
    ['nobody:kvm', 65534, 105],
    ['nobody:7', 65534, 7],
    ['5:kvm', 5, 105],
  ] as const) {
    it(text, () => expect(identity(text)).to.deep.equal({ uid, gid }));
  }

  for (const [text, complaint] of [
    ['nosuch', "--runas 'nosuch': there is no user 'nosuch'; give a login or a number"],
    ['', "--runas '': there is no user ''; give a login or a number"],
    ['nobody:nosuch', "--runas 'nobody:nosuch': there is no group 'nosuch'; give its name or a number"],
    ['root', "--runas 'root': that is root; give the number 0 if it is really meant"],
    ['4294967295', "--runas '4294967295': there is no user '4294967295'; give a login or a number"],
  ] as const) {
    it(`refuses '${text}'`, () => expect(() => identity(text)).to.throw(complaint));
  }

  for (const [uid, map, mighty] of [
    [0, '         0          0 4294967295\n', true],
    [1000, '         0          0 4294967295\n', false],
    [0, '         0       1000          1\n         1     100000      65536\n', false],
    [0, '', false],
  ] as const) {
    it(`user ${uid} with the map '${map.trim()}' is ${mighty ? '' : 'not '}root of the whole`, () =>
      expect(isMighty(uid, () => map)).to.equal(mighty));
  }

  it('nobody is who passwd says, else 65534, and never root', () => {
    expect(nobody((path) => FILES[path] as string)).to.deep.equal({ uid: 65534, gid: 65533 });
    expect(nobody(() => '')).to.deep.equal({ uid: 65534, gid: 65534 });
    expect(nobody(() => 'nobody:x:0:0::/:/bin/sh\n')).to.deep.equal({ uid: 65534, gid: 65534 });
  });
});
