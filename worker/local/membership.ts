/**
 * Which groups the guest is in, by what its kernel reports: IGMP versions 1–3, MLD versions 1 and 2.
 *
 * Theory of operation. There is no querier on the guest's link, so nothing expires: a guest is in a group from its report until it
 * says that it leaves. Of source filters (RFC 3376 §3.1, RFC 3810 §3) it matters only whether anything is let in. Nothing is joined on the host
 * because of a report: this is what a relay will ask for, `memberships` and `isMember`. At most MAX_MEMBERSHIPS are kept; what the
 * guest reports beyond them is counted. All nodes' groups (224.0.0.1, ff02::1) are never reported, and not kept.
 */
import { Counter } from '../../shared/counters.ts';
import { MAX_MEMBERSHIPS } from '../../shared/limits.ts';
import { counters } from '../link/counters.ts';
import { equalWords, isLinkLocal6, isMulticast4, isMulticast6, isUnspecified6, MAPPED_WORD } from '../wire/address.ts';
import type { Frame } from '../wire/frame.ts';
import { type } from '../wire/icmp.ts';
import { readAddress, sourceAt } from '../wire/ipv6.ts';
import { view } from '../wire/memory.ts';
import * as report from '../wire/membership.ts';

const WORDS = 4;
const ALL_NODES4 = 0xe0000001 | 0;
/** RFC 3376 §4, RFC 2710 §3, RFC 3810 §5: so that no router passes it on. */
const HOP_LIMIT = 1;

const groups = new Int32Array(MAX_MEMBERSHIPS * WORDS);
const group = new Int32Array(WORDS);
const sender = new Int32Array(WORDS);

/** How many groups the guest is in. */
export let memberships = 0;

/** Forgets all groups: another guest. */
export function openMemberships(): void {
  memberships = 0;
}

function indexOf(words: Int32Array, at: number): number {
  for (let index = 0; index < memberships; index++) if (equalWords(groups, index * WORDS, words, at)) return index;
  return -1;
}

/** Whether the guest is in the group in four words of `words` from `at` (IPv4 as ::ffff:a.b.c.d). */
export function isMember(words: Int32Array, at: number): boolean {
  return indexOf(words, at) >= 0;
}

/** Reads the group at `at` into `group`; false for what nobody can be in, or everybody is. */
function readGroup(at: number, bytes: number): boolean {
  if (bytes === 4) {
    group.fill(0);
    group[2] = MAPPED_WORD;
    group[3] = view.getInt32(at);
    return isMulticast4(group[3]!) && group[3] !== ALL_NODES4;
  }
  readAddress(at, group, 0);
  const allNodes = group[1] === 0 && group[2] === 0 && group[3] === 1;
  return isMulticast6(group, 0) && !allNodes;
}

function change(at: number, bytes: number, member: boolean): void {
  if (!readGroup(at, bytes)) return;
  const index = indexOf(group, 0);
  if (member && index < 0) {
    if (memberships === MAX_MEMBERSHIPS) {
      counters[Counter.memberships_refused]!++;
      return;
    }
    groups.set(group, memberships * WORDS);
    memberships++;
  } else if (!member && index >= 0) {
    memberships--;
    groups.copyWithin(index * WORDS, memberships * WORDS, (memberships + 1) * WORDS);
  }
}

/** One group alone, of the older versions. */
function takeSingle(frame: Frame, bytes: number, member: boolean): boolean {
  const at = report.groupAt(frame.l4, frame.end, bytes);
  if (at < 0) return false;
  change(at, bytes, member);
  return true;
}

/** RFC 3376 §4.2.12, RFC 3810 §5.2.12: to let in nothing is to leave; to block some sources is not. */
function takeRecords(frame: Frame, bytes: number): boolean {
  let at = frame.l4 + report.REPORT_HEADER;
  for (let left = report.recordCount(frame.l4); left > 0; left--) {
    const end = report.recordEnd(at, frame.end, bytes);
    if (end < 0) return false;
    const kind = report.recordType(at);
    const includes = kind === report.MODE_IS_INCLUDE || kind === report.CHANGE_TO_INCLUDE;
    if (kind >= report.MODE_IS_INCLUDE && kind < report.BLOCK_OLD_SOURCES)
      change(report.recordGroupAt(at), bytes, !includes || report.recordSources(at) > 0);
    at = end;
  }
  return true;
}

function take(frame: Frame): boolean {
  switch (type(frame.l4)) {
    case report.IGMP_REPORT1:
    case report.IGMP_REPORT2:
      return takeSingle(frame, 4, true);
    case report.IGMP_LEAVE:
      return takeSingle(frame, 4, false);
    case report.IGMP_REPORT3:
      return takeRecords(frame, 4);
    default:
      return false;
  }
}

/** The IGMP message under `frame`. */
export function takeIgmp(frame: Frame): void {
  counters[frame.hopLimit === HOP_LIMIT && take(frame) ? Counter.memberships_reported : Counter.icmp_ignored]!++;
}

function takeNear(frame: Frame): boolean {
  switch (type(frame.l4)) {
    case report.MLD_REPORT1:
      return takeSingle(frame, 16, true);
    case report.MLD_DONE:
      return takeSingle(frame, 16, false);
    default:
      return takeRecords(frame, 16);
  }
}

/** The ICMPv6 message under `frame`, if it is a report: else false. RFC 2710 §3, RFC 3810 §5.2.13: its sender is link-local, or has no address yet. */
export function takeMld(frame: Frame): boolean {
  const kind = type(frame.l4);
  if (kind !== report.MLD_REPORT1 && kind !== report.MLD_DONE && kind !== report.MLD_REPORT2) return false;
  readAddress(sourceAt(frame.l3), sender, 0);
  const near = frame.hopLimit === HOP_LIMIT && (isLinkLocal6(sender, 0) || isUnspecified6(sender, 0));
  counters[near && takeNear(frame) ? Counter.memberships_reported : Counter.icmp_ignored]!++;
  return true;
}
