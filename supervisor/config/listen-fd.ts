/**
 * `--listen-fd`: a socket that was handed in, and where it leads.
 *
 *     value = descriptor-or-name [ ":" [ address "/" ] port | ":" address ]        as behind the colon of --tcp-ports
 */
import { isUnspecified, parseAddress } from '../../shared/addresses.ts';
import type { HandedChoice } from '../forwarding/handed-rules.ts';
import type { OptionRow } from './options.ts';
import { wrong } from './values.ts';

const OPTION = '--listen-fd';
/** 0 to 2 are the command's. */
const FIRST = 3;

/** @throws UsageError with what is wrong and the cure */
export function parseListenFd(text: string): HandedChoice {
  const colon = text.indexOf(':');
  const name = colon < 0 ? text : text.slice(0, colon);
  if (name === '')
    throw wrong(OPTION, text, "lacks the socket; give the number of a descriptor, or a name from the unit's FileDescriptorName=");
  const which = /^[0-9]+$/.test(name) ? Number(name) : name;
  if (typeof which === 'number' && (which < FIRST || which > 1 << 30)) {
    throw wrong(OPTION, text, `${name} can't be a socket that was handed in; those begin with ${FIRST}`);
  }
  return { text, which, ...(colon < 0 ? { targetPort: null, target: null } : parseTarget(text, text.slice(colon + 1))) };
}

function parseTarget(text: string, word: string): Pick<HandedChoice, 'targetPort' | 'target'> {
  const slash = word.indexOf('/');
  const isPort = /^[0-9]+$/.test(word);
  const address = isPort ? '' : slash < 0 ? word : word.slice(0, slash);
  const port = isPort ? word : slash < 0 ? '' : word.slice(slash + 1);
  if (port !== '' || slash >= 0 || word === '') {
    if (!/^[1-9][0-9]{0,4}$/.test(port) || Number(port) > 65_535) throw wrong(OPTION, text, `'${port}' is no port; ports are 1 to 65535`);
  }
  const target = address === '' ? null : parseAddress(address.startsWith('[') && address.endsWith(']') ? address.slice(1, -1) : address);
  if (target === null && address !== '')
    throw wrong(OPTION, text, `'${address}' is not an IP address; give it as 192.0.2.1 or [2001:db8::1]`);
  return { targetPort: port === '' ? null : Number(port), target: target === null || isUnspecified(target) ? null : target };
}

export const LISTEN_FD: OptionRow = {
  long: OPTION.slice(2),
  argument: 'FD[:TARGET]',
  modes: 'both',
  help: 'Forward what comes to a socket that was handed in, by number or name; default: to the same port',
  set: (draft, text) => {
    draft.listenFd.push(parseListenFd(text));
  },
};
