import { expect } from 'chai';
import { OwnSockets } from '../../supervisor/forwarding/own-sockets.ts';

describe('supervisor/forwarding/own-sockets', () => {
  it('has a port as long as one socket of it is left', () => {
    const own = new OwnSockets();
    own.add(80, 1);
    own.add(80, 2);
    own.add(443, 3);
    own.remove(1);
    expect([...own.ports]).to.deep.equal([80, 443]);
    own.remove(2);
    own.remove(2);
    expect([...own.ports]).to.deep.equal([443]);
  });

  it('knows a socket that is being closed until a walk has not met it, and no longer', () => {
    const own = new OwnSockets();
    own.add(80, 1);
    own.remove(1);
    own.beginWalk();
    expect(own.isOwn(1)).to.equal(true);
    own.endWalk();
    own.beginWalk();
    own.endWalk();
    expect(own.isOwn(1)).to.equal(false);
  });

  it('knows a socket that was closed while a walk went on', () => {
    const own = new OwnSockets();
    own.add(80, 1);
    own.beginWalk();
    own.remove(1);
    own.endWalk();
    expect(own.isOwn(1)).to.equal(true);
  });
});
