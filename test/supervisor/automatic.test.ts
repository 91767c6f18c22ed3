import { expect } from 'chai';
import { portsToForward } from '../../supervisor/forwarding/automatic.ts';
import { PortSet } from '../../supervisor/host/port-set.ts';

const NONE = new PortSet();
const NOBODY = { tcp: NONE, udp: NONE };
const ALL = { first: 1, last: 65_535, targetFirst: 1 };
const tcp = { protocol: 'tcp', ...ALL } as const;
const udp = { protocol: 'udp', ...ALL } as const;
const listening = (tcpPorts: number[], udpPorts: number[]) => ({ tcp: PortSet.of(tcpPorts), udp: PortSet.of(udpPorts) });

describe('supervisor/forwarding/automatic', () => {
  const rows: [string, Parameters<typeof portsToForward>, number[]][] = [
    ['nothing where nobody listens', [tcp, NOBODY, NOBODY, NONE], []],
    ['TCP where TCP listens', [tcp, listening([1, 80, 65_535], [53]), NOBODY, NONE], [1, 80, 65_535]],
    ['UDP where UDP or TCP listens', [udp, listening([80], [53, 80]), NOBODY, NONE], [53, 80]],
    [
      'only ports of its range',
      [{ ...tcp, first: 100, last: 200, targetFirst: 100 }, listening([99, 100, 200, 201], []), NOBODY, NONE],
      [100, 200],
    ],
    [
      'the port that leads to it',
      [{ ...tcp, first: 8000, last: 8010, targetFirst: 80 }, listening([79, 80, 90, 91], []), NOBODY, NONE],
      [8000, 8010],
    ],
    ['nothing towards a port of ours', [tcp, listening([80, 81], []), listening([80], []), NONE], [81]],
    ['TCP towards a port on which we have UDP', [tcp, listening([80], []), listening([], [80]), NONE], [80]],
    ['no UDP towards UDP of ours, though TCP listens', [udp, listening([80], []), listening([], [80]), NONE], []],
    ['UDP where TCP listens and we have TCP too', [udp, listening([80], []), listening([80], []), NONE], [80]],
    ['what it has already, though we have listened there since', [tcp, listening([80], []), listening([80], []), PortSet.of([80])], [80]],
    ['not what it has already, when its service is gone', [tcp, NOBODY, NOBODY, PortSet.of([80])], []],
  ];
  for (const [what, given, ports] of rows)
    it(`forwards ${what}`, () => {
      expect([...portsToForward(...given)]).to.deep.equal(ports);
    });
});
