/** What is done to the guest's interface when the host's network has changed, in which order. */
import { expect } from 'chai';
import { formatAddress, parseAddress } from '../../shared/addresses.ts';
import type { FamilyPlan } from '../../supervisor/config/plan.ts';
import { GuestNetwork, planFamilyChange } from '../../supervisor/host/guest-network.ts';
import { MessageType, NetlinkDialogue, NetlinkError, type NetlinkRequest, parseAttributes, viewOf } from '../../supervisor/host/netlink.ts';
import { parseInterfaceAddress, parseRoute, type Route } from '../../supervisor/host/rtnetlink.ts';
import { bytesOf, FakeKernel, type FakeRoute, routePayload } from '../support/fake_rtnetlink.ts';

const TAP = 7;
const EEXIST = 17;
const EACCES = 13;
const KERNEL = 2;

function route(fake: FakeRoute, protocol = 3): Route {
  const payload = routePayload(fake);
  payload[5] = protocol;
  return parseRoute({ type: MessageType.NEWROUTE, flags: 0, sequence: 0, payload }) as Route;
}

/** `192.0.2.2/24`, through a gateway; `routes` null = by a default route alone. */
function family(texts: string[], gateway: string | null, routes: Route[] | null = null): FamilyPlan {
  const addresses = texts.map((text) => {
    const [address, length] = text.split('/') as [string, string];
    return { address: bytesOf(address), peer: bytesOf(address), broadcast: null, prefixLength: Number(length), scope: 0, flags: 0 };
  });
  const { address, prefixLength } = addresses[0] ?? { address: null, prefixLength: 64 };
  return { local: false, templateName: 'eth0', address, prefixLength, gateway: parseAddress(gateway ?? ''), addresses, routes };
}

/** `+192.0.2.2/24`, `+…/32 link`, `~…` for a deprecated one, `-…`; `+default via …`, `-…`. */
function shown({ type, flags, payload }: NetlinkRequest): string {
  const message = { type, flags, sequence: 0, payload };
  const isAddress = type === MessageType.NEWADDR || type === MessageType.DELADDR;
  const sign = type === MessageType.NEWADDR || type === MessageType.NEWROUTE ? '+' : '-';
  if (!isAddress) {
    const { destination, hops } = parseRoute(message) as Route;
    const [hop] = hops;
    expect(hop?.index).to.equal(TAP);
    return `${sign}${destination === null ? 'default' : formatAddress(destination)} via ${hop?.gateway == null ? '-' : formatAddress(hop.gateway)}`;
  }
  const one = parseInterfaceAddress(message);
  expect(one?.index).to.equal(TAP);
  const lifetimes = parseAttributes(payload, 8).find((attribute) => attribute.type === 6)?.data;
  const isDeprecated = lifetimes !== undefined && viewOf(lifetimes).getUint32(0, true) === 0;
  const text = `${formatAddress(one?.address as Uint8Array)}/${one?.prefixLength}`;
  return `${isDeprecated ? '~' : sign}${text}${one?.scope === 253 ? ' link' : ''}`;
}

function changes(old: FamilyPlan, now: FamilyPlan, kept: FamilyPlan['addresses'] = []): string[] {
  return planFamilyChange(TAP, old, now, kept).changes.map(({ request }) => shown(request));
}

describe('supervisor/host/guest-network: another address', () => {
  it('comes after the old one has become one of link scope, since the kernel drops the local route with the last copy', () => {
    expect(changes(family(['192.0.2.2/24'], '192.0.2.1'), family(['203.0.113.2/24'], '203.0.113.1'))).to.eql([
      '-default via 192.0.2.1',
      '+192.0.2.2/32 link',
      '-192.0.2.2/24',
      '+203.0.113.2/24',
      '+default via 203.0.113.1',
    ]);
  });

  it('leaves an IPv6 one deprecated', () => {
    expect(changes(family(['2001:db8::2/64'], 'fe80::1'), family(['2001:db8:5::2/64'], 'fe80::1'))).to.eql([
      '~2001:db8::2/64',
      '+2001:db8:5::2/64',
      '+default via fe80::1',
    ]);
  });

  it('takes the place of an old one that has all bits in its prefix', () => {
    expect(changes(family(['192.0.2.2/32'], null), family(['192.0.2.3/32'], null))).to.eql([
      '-192.0.2.2/32',
      '+192.0.2.2/32 link',
      '+192.0.2.3/32',
    ]);
  });

  it('removes the old one when that is the gateway now', () => {
    expect(changes(family(['192.0.2.2/24'], null), family(['192.0.2.3/24'], '192.0.2.2'))).to.eql([
      '-192.0.2.2/24',
      '+192.0.2.3/24',
      '+default via 192.0.2.2',
    ]);
  });

  it('only replaces the prefix when the address is the same', () => {
    for (const [old, now] of [
      ['192.0.2.2/24', '192.0.2.2/25'],
      ['2001:db8::2/64', '2001:db8::2/128'],
    ] as const) {
      expect(changes(family([old], null), family([now], null))).to.eql([`-${old}`, `+${now}`]);
    }
  });
});

describe('supervisor/host/guest-network: an address that comes back', () => {
  for (const [text, other, gateway, steps] of [
    ['192.0.2.2/24', '203.0.113.2/24', '192.0.2.1', ['+203.0.113.2/32 link', '-203.0.113.2/24', '+192.0.2.2/24', '-192.0.2.2/32 link']],
    ['192.0.2.2/32', '203.0.113.2/24', '192.0.2.1', ['+203.0.113.2/32 link', '-203.0.113.2/24', '-192.0.2.2/32 link', '+192.0.2.2/32']],
    ['2001:db8::2/64', '2001:db8:5::2/64', 'fe80::1', ['~2001:db8:5::2/64', '+2001:db8::2/64']],
  ] as const) {
    it(`is one of today again: ${text}`, () => {
      const first = family([text], gateway);
      const second = family([other], gateway);
      const away = planFamilyChange(TAP, first, second, []);
      expect(away.kept.map(({ address }) => formatAddress(address))).to.eql([text.split('/')[0]]);
      const back = planFamilyChange(TAP, second, first, away.kept);
      expect(back.changes.map(({ request }) => shown(request))).to.eql([...steps, `+default via ${gateway}`]);
      expect(back.kept.map(({ address }) => formatAddress(address))).to.eql([other.split('/')[0]]);
    });
  }

  it('is not waited for without end: of the former ones four are kept', () => {
    let kept: FamilyPlan['addresses'] = [];
    for (let host = 1; host < 9; host++) {
      const change = planFamilyChange(TAP, family([`192.0.2.${host}/24`], null), family([`192.0.2.${host + 1}/24`], null), kept);
      kept = change.kept;
      const removed = change.changes.map(({ request }) => shown(request)).filter((text) => text.endsWith(' link') && text.startsWith('-'));
      expect(removed).to.eql(host > 4 ? [`-192.0.2.${host - 4}/32 link`] : []);
    }
    expect(kept.map(({ address }) => formatAddress(address))).to.eql(['192.0.2.5', '192.0.2.6', '192.0.2.7', '192.0.2.8']);
  });
});

describe('supervisor/host/guest-network: routes', () => {
  const gateway = route({ hops: [{ index: 2, gateway: '192.0.2.1' }] });
  const prefix = route({ to: '192.0.2.0', length: 24, hops: [{ index: 2 }] }, KERNEL);
  const office = route({ to: '10.0.0.0', length: 8, hops: [{ index: 2, gateway: '192.0.2.1' }] });

  it('go when the host has them no more, but those that go with their address', () => {
    const now = family(['192.0.2.2/24'], '192.0.2.1', [gateway]);
    expect(changes(family(['192.0.2.2/24'], '192.0.2.1', [gateway, prefix, office]), now)).to.eql([
      '-10.0.0.0 via 192.0.2.1',
      '+192.0.2.2/24',
      '+default via 192.0.2.1',
    ]);
  });

  it('are the same on another interface of the host', () => {
    const moved = route({ hops: [{ index: 3, gateway: '192.0.2.1' }] });
    expect(changes(family(['192.0.2.2/24'], '192.0.2.1', [gateway]), family(['192.0.2.2/24'], '192.0.2.1', [moved]))).to.eql([
      '+192.0.2.2/24',
      '+default via 192.0.2.1',
    ]);
  });

  it('of the host take the place of the default route of local mode', () => {
    const local = { ...family(['169.254.2.1/16'], '169.254.2.2'), local: true };
    expect(changes(local, family(['192.0.2.2/24'], '192.0.2.1', [gateway]))).to.eql([
      '-default via 169.254.2.2',
      '+169.254.2.1/32 link',
      '-169.254.2.1/16',
      '+192.0.2.2/24',
      '+default via 192.0.2.1',
    ]);
  });
});

describe('supervisor/host/guest-network: what the kernel says', () => {
  const plan = (text: string) => {
    const ipv4 = family([text], null);
    return { interfaceName: 'eth0', mac: null, configure: true, mtu: 0, ipv4, ipv6: null };
  };

  it('is told where it matters, and what was removed by hand is no matter', () => {
    const kernel = new FakeKernel();
    const network = new GuestNetwork(new NetlinkDialogue(kernel, 5), TAP, plan('192.0.2.2/24'));
    kernel.verdict = ({ type }) => (type === MessageType.DELADDR ? EEXIST : EACCES);
    const warnings = network.change(plan('192.0.2.3/24'));
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.match(/192\.0\.2\.3\/24/);
  });

  it('is no answer at all when the namespace is gone', () => {
    const calls = { send: () => -22, receive: () => null, waitReadable: () => 0 };
    const network = new GuestNetwork(new NetlinkDialogue(calls, 5), TAP, plan('192.0.2.2/24'));
    expect(() => network.change(plan('192.0.2.3/24'))).to.throw(NetlinkError);
  });
});
