/**
 * Which groups the guest is in, by what its kernel reports: IGMP versions 1–3, MLD versions 1 and 2.
 *
 * There is no querier on the guest's link, so nothing expires: a guest is in a group (groups.ts) from its report until it says that it
 * leaves. A host of IGMPv1 says nothing then (RFC 1112 §7), so it stays. All nodes' groups (224.0.0.1, ff02::1) are never
 * reported, and not kept.
 */
import { Counter } from '../../shared/counters.ts';
import { counters } from '../link/counters.ts';
import { isLinkLocal6, isMulticast4, isMulticast6, isUnspecified6, MAPPED_WORD } from '../wire/address.ts';
import type { Frame } from '../wire/frame.ts';
import { type } from '../wire/icmp.ts';
import { readAddress, sourceAt } from '../wire/ipv6.ts';
import { view } from '../wire/memory.ts';
import * as report from '../wire/membership.ts';
import { admit, block, join, leave } from './groups.ts';

const WORDS = 4;
const ALL_NODES4 = 0xe0000001 | 0;
/** RFC 3376 §4, RFC 2710 §3, RFC 3810 §5: so that no router passes it on. */
const HOP_LIMIT = 1;

const group = new Int32Array(WORDS);
const source = new Int32Array(WORDS);
const sender = new Int32Array(WORDS);

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

/** One group alone, of the older versions. */
function takeSingle(frame: Frame, bytes: number, member: boolean): boolean {
  const at = report.groupAt(frame.l4, frame.end, bytes);
  if (at < 0) return false;
  if (!readGroup(at, bytes)) return true;
  if (member) join(group);
  else leave(group);
  return true;
}

function readSource(at: number, bytes: number): void {
  if (bytes === 16) {
    readAddress(at, source, 0);
    return;
  }
  source.fill(0);
  source[2] = MAPPED_WORD;
  source[3] = view.getInt32(at);
}

/** RFC 3376 §4.2.12, RFC 3810 §5.2.12: the record of `kind` at `at`, whose group is in `group`. */
function takeRecord(kind: number, at: number, bytes: number): void {
  const count = report.recordSources(at);
  switch (kind) {
    case report.MODE_IS_EXCLUDE:
    case report.CHANGE_TO_EXCLUDE:
      join(group);
      return;
    case report.MODE_IS_INCLUDE:
    case report.CHANGE_TO_INCLUDE:
      leave(group);
      break;
    case report.ALLOW_NEW_SOURCES:
    case report.BLOCK_OLD_SOURCES:
      break;
    default:
      return;
  }
  for (let index = 0; index < count; index++) {
    readSource(report.recordSourceAt(at, index, bytes), bytes);
    if (kind === report.BLOCK_OLD_SOURCES) block(group, source);
    else admit(group, source);
  }
}

function takeRecords(frame: Frame, bytes: number): boolean {
  let at = frame.l4 + report.REPORT_HEADER;
  for (let left = report.recordCount(frame.l4); left > 0; left--) {
    const end = report.recordEnd(at, frame.end, bytes);
    if (end < 0) return false;
    if (readGroup(report.recordGroupAt(at), bytes)) takeRecord(report.recordType(at), at, bytes);
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
