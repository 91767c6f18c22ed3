/** What a service manager is told, and that it is told nothing of a worker that hangs. */
import { expect } from 'chai';
import { type SinonFakeTimers, useFakeTimers } from 'sinon';
import { ServiceManager } from '../../../supervisor/service/sd-notify.ts';

const PATH = '/run/user/1/systemd/notify';

describe('supervisor/service/sd-notify', () => {
  let clock: SinonFakeTimers;
  let told: string[];
  let open: number;
  const native = {
    localDatagram: (path: string) => (path === PATH ? ++open : -111),
    send: (_socket: number, bytes: Uint8Array) => {
      told.push(Buffer.from(bytes).toString());
      return bytes.length;
    },
    close: () => --open,
  };

  function manager(environment: Record<string, string> = {}): ServiceManager {
    return ServiceManager.of(native, { NOTIFY_SOCKET: PATH, ...environment }, 7) as ServiceManager;
  }

  beforeEach(() => {
    clock = useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    told = [];
    open = 0;
  });
  afterEach(() => {
    clock.restore();
    expect(open).to.equal(0);
  });

  /** What has been resolved is acted on. */
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  };

  it('is there when the environment names its socket, by a path or an abstract name', () => {
    expect(manager()).to.not.equal(null);
    expect(manager({ NOTIFY_SOCKET: '@abstract' })).to.not.equal(null);
    expect(ServiceManager.of(native, {}, 7)).to.equal(null);
    for (const name of ['', '@', '/', 'vsock:2:1234']) expect(ServiceManager.of(native, { NOTIFY_SOCKET: name }, 7)).to.equal(null);
  });

  it('is told of readiness, failure and the end', async () => {
    const one = manager();
    one.ready('Serving x', () => Promise.reject(new Error('nobody watches')));
    one.failed('no worker');
    one.stopping();
    await settle();
    expect(told).to.deep.equal(['READY=1\nSTATUS=Serving x', 'STATUS=no worker', 'STOPPING=1']);
  });

  it('is told twice an interval that the worker has answered, and no more once it does not', async () => {
    let hangs = false;
    let asked = 0;
    const one = manager({ WATCHDOG_USEC: '20000000', WATCHDOG_PID: '7' });
    one.ready('', () => {
      asked++;
      return hangs ? new Promise(() => {}) : Promise.resolve();
    });
    await settle();
    for (let turn = 0; turn < 3; turn++) {
      clock.tick(10_000);
      await settle();
    }
    expect(told.slice(1)).to.deep.equal(new Array(4).fill('WATCHDOG=1'));
    hangs = true;
    told = [];
    clock.tick(100_000);
    await settle();
    expect([told, asked]).to.deep.equal([[], 5]);
  });

  it('hears nothing after the end has begun, not even of an answer that was on its way', async () => {
    let answer = (): void => {};
    const one = manager({ WATCHDOG_USEC: '20000000' });
    one.ready('', () => new Promise<void>((resolve) => (answer = resolve)));
    one.stopping();
    answer();
    await settle();
    clock.tick(60_000);
    await settle();
    expect(told).to.deep.equal(['READY=1\nSTATUS=', 'STOPPING=1']);
  });

  for (const [name, environment] of [
    ['of another process', { WATCHDOG_USEC: '1000000', WATCHDOG_PID: '8' }],
    ['without a number', { WATCHDOG_USEC: 'soon' }],
    ['of 0', { WATCHDOG_USEC: '0' }],
  ] as const) {
    it(`ignores a watchdog ${name}`, async () => {
      manager(environment).ready('', () => Promise.reject(new Error('asked')));
      clock.tick(60_000);
      await settle();
      expect(told).to.have.length(1);
    });
  }
});
