/**
 * The options that say which ports are forwarded, and how what comes from a loopback goes on.
 */
import { FORWARDING_OPTIONS, type ForwardingOption, type ForwardingSpec, parseSpec } from '../forwarding/spec.ts';
import type { Draft } from './draft.ts';
import type { OptionRow, Options } from './options.ts';
import { UsageError } from '../usage-error.ts';
import { wrong } from './values.ts';

/** Each adds to what was said before. `none` takes nothing back, but may stand before others. */
function ports(option: ForwardingOption, short: string, help: string): OptionRow {
  const set = (draft: Draft, text: string): void => {
    const spec = parseSpec(option, text);
    const earlier = draft.forwarding.find((other) => other.option === option && !other.none);
    if (spec.none && earlier !== undefined)
      throw wrong(option, text, `ports were given before, '${earlier.text}'; leave one of the two out`);
    draft.forwarding.push(spec);
  };
  const modes = FORWARDING_OPTIONS[option].side === 'host' ? 'both' : 'pasta';
  return { long: option.slice(2), short, argument: 'SPEC', modes, help, set };
}

/** In the order of `--help`: towards the guest. */
export const PORTS_IN: readonly OptionRow[] = [
  ports('--tcp-ports', 't', 'TCP ports forwarded to the guest: 22,8000-8010:80-90, 192.0.2.1%eth0/80, all, auto, none'),
  ports('--udp-ports', 'u', 'UDP ports forwarded to the guest, likewise'),
];

/** From the guest's loopback to the host's. */
export const PORTS_OUT: readonly OptionRow[] = [
  ports('--tcp-ns', 'T', "TCP ports of the host's loopback seen in the namespace, likewise without address"),
  ports('--udp-ns', 'U', "UDP ports of the host's loopback seen in the namespace, likewise"),
  {
    long: 'host-lo-to-ns-lo',
    modes: 'pasta',
    help: "What comes from the host's loopback goes to that of the namespace",
    set: (draft) => {
      draft.loopbackToLoopback = true;
    },
  },
];

/** Whether two loopbacks are joined from socket to socket. */
export const SPLICE: readonly OptionRow[] = [
  {
    long: 'no-splice',
    modes: 'pasta',
    help: 'Forward through the interface even on loopback',
    set: (draft) => {
      draft.splice = false;
    },
  },
  {
    long: 'splice-only',
    modes: 'pasta',
    help: 'No interface in the namespace: forward between loopbacks only',
    set: (draft) => {
      draft.spliceOnly = true;
    },
  },
];

const NOTHING = Object.freeze([]);

/** What is not there where only loopbacks are joined. */
const WITHOUT_FRAMES = {
  icmp: false,
  ndp: false,
  ra: false,
  dhcp: false,
  dhcpv6: false,
  mapGateway: false,
  mapHostLoopback4: null,
  mapHostLoopback6: null,
  mapGuestAddress4: null,
  mapGuestAddress6: null,
  dns: NOTHING,
  search: NOTHING,
  dnsForward4: null,
  dnsForward6: null,
  configureNetwork: false,
  loopbackToLoopback: true,
} as const;

/** What holds for options that were not given, of protocols that are there. */
function unsaid(draft: Draft): ForwardingSpec[] {
  if (!draft.automatic) return [];
  const options = Object.keys(FORWARDING_OPTIONS) as ForwardingOption[];
  return options
    .filter((option) => draft[FORWARDING_OPTIONS[option].protocol] && !draft.forwarding.some((spec) => spec.option === option))
    .map((option) => parseSpec(option, 'auto'));
}

/** What the whole line means for forwarding. Throws UsageError where options contradict each other. */
export function finishPorts(draft: Draft): Pick<Options, 'forwarding'> & Partial<Options> {
  for (const [option, given] of [
    ['--splice-only', draft.spliceOnly],
    ['--host-lo-to-ns-lo', draft.loopbackToLoopback],
  ] as const) {
    if (given && !draft.splice) {
      throw new UsageError(`${option} can't be together with --no-splice, which ends what it is about; leave one out`);
    }
  }
  return { forwarding: Object.freeze([...draft.forwarding, ...unsaid(draft)]), ...(draft.spliceOnly ? WITHOUT_FRAMES : {}) };
}
