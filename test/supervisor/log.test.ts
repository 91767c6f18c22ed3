/** What people see, and what a compromised worker can't make them see. */
import { expect } from 'chai';
import { fileURLToPath } from 'node:url';
import { LogLevel, MessageId } from '../../shared/messages.ts';
import { Log, workerText } from '../../supervisor/log.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

function open(level: LogLevel): { log: Log; written: string[] } {
  const written: string[] = [];
  return { log: new Log('pasta', level, ROOT, (text) => written.push(text)), written };
}

function sayAll(log: Log): void {
  log.error('one');
  log.warning('two');
  log.info('three');
  log.debug('four');
}

describe('supervisor/log', () => {
  it('names the program in errors and warnings, and not in the banner', () => {
    const { log, written } = open(LogLevel.INFO);
    sayAll(log);
    expect(written).to.deep.equal(['pasta: one\n', 'pasta: two\n', 'three\n']);
  });

  it('shows errors and warnings only when quiet', () => {
    const { log, written } = open(LogLevel.WARNING);
    sayAll(log);
    expect(written).to.deep.equal(['pasta: one\n', 'pasta: two\n']);
  });

  it('shows everything with the seconds since start when debugging', () => {
    const { log, written } = open(LogLevel.DEBUG);
    sayAll(log);
    expect(written).to.have.length(4);
    expect(written[0]).to.match(/^ *\d+\.\d{4}: pasta: one\n$/);
    expect(written[3]).to.match(/^ *\d+\.\d{4}: four\n$/);
  });

  it('writes a carriage return too while the terminal is raw', () => {
    const { log, written } = open(LogLevel.INFO);
    log.newline = '\r\n';
    log.info('x');
    expect(written).to.deep.equal(['x\r\n']);
  });

  it('keeps every line one line, whatever is in it', () => {
    const { log, written } = open(LogLevel.INFO);
    log.error('a\nb\u001b[2Jc');
    expect(written).to.deep.equal(['pasta: a\\x0ab\\x1b[2Jc\n']);
  });

  it('has a text for every message of the worker', () => {
    for (const [name, id] of Object.entries(MessageId)) {
      expect(workerText(id, [1, 2, 3, 4, 5, 6]), name).not.to.match(/^message /);
    }
  });

  it('limits how many lines the worker can cause in a second, and tells how many were left out', () => {
    const { log, written } = open(LogLevel.INFO);
    for (let count = 0; count < 1000; count++) {
      log.fromWorker(LogLevel.WARNING, MessageId.FLOW_LIMIT, [count, 5], 5_000);
    }
    expect(written).to.have.length(10);
    log.fromWorker(LogLevel.WARNING, MessageId.TAP_GONE, [], 6_000);
    expect(written.slice(10)).to.deep.equal(['pasta: 990 lines of the worker were suppressed\n', "pasta: the guest's interface is gone\n"]);
  });

  it('tells of the guest’s groups by their addresses', () => {
    expect(workerText(MessageId.MEMBERSHIP, [1, 3, 0, 0, 0xffff, 0xe00000fb | 0])).to.equal(
      'the guest has joined the group 224.0.0.251; it is in 3 now',
    );
    expect(workerText(MessageId.MEMBERSHIP, [0, 2, 0xff020000 | 0, 0, 0, 0xfb])).to.equal(
      'the guest has left the group ff02::fb; it is in 2 now',
    );
  });

  it('tells of DHCP by what became of the address, and whose client it was', () => {
    expect(workerText(MessageId.DHCP, [2, 0xc0000202 | 0, 0x5254, 0x00abcdef])).to.equal(
      'DHCP: offered 192.0.2.2, client 52:54:00:ab:cd:ef',
    );
    expect(workerText(MessageId.DHCP, [5, 0xc0000202 | 0, 0xfe54, -1])).to.equal('DHCP: acknowledged 192.0.2.2, client fe:54:ff:ff:ff:ff');
    expect(workerText(MessageId.DHCP, [99, 0xc0000202 | 0, 0, 0])).to.equal('DHCP: BOOTP reply with 192.0.2.2, client 00:00:00:00:00:00');
  });

  it('shows the worker’s lines by their level', () => {
    const { log, written } = open(LogLevel.INFO);
    log.fromWorker(LogLevel.DEBUG, MessageId.FLOW_BEGAN, [6, 1, 2, 3]);
    log.fromWorker(LogLevel.INFO, MessageId.GUEST_MAC, [0x9a, 0x55, 0, 1, 2, 0xff]);
    expect(written).to.deep.equal(["the guest's MAC is 9a:55:00:01:02:ff\n"]);
  });
});
