/**
 * The guest's end of the link, as the loop sees it: frames that come, room that comes back, and a guest that goes.
 */
import { LogLevel, MessageId } from '../shared/messages.ts';
import { sendMessage } from './channel.ts';
import { log } from './flow/journal.ts';
import { roomAgain } from './flow/link_room.ts';
import { changeDescriptor, EPOLLIN, EPOLLOUT, forgetDescriptor, watchDescriptor } from './flow/watch.ts';
import { expectGuest, frameFromGuest, sendRouterAdvertisement } from './guest.ts';
import { captures, flushCapture, stopCapture } from './link/capture.ts';
import { kernel } from './link/kernel.ts';
import { flushLink, holdsFrames, leftFrames, receiveFrames, setLink } from './link/link.ts';
import { closeStream, isBlocked, openStream, streamIsCalm, unblockStream } from './link/stream.ts';
import { openTap } from './link/tap.ts';
import { advertised, beginAdvertising, stopAdvertising, untilAdvertisement } from './local/advertiser.ts';
import { searchAtOnce } from './search.ts';
import { flushAcknowledgements } from './tcp/acknowledge.ts';
import { sendRun } from './udp/send.ts';

/** What an event of the link is about. */
export const LINK = -2;

const EAGAIN = 11;
const EINTR = 4;
/** Batches of frames in one turn, so that a flooding guest can't keep the host's side waiting. */
const BATCHES_AT_ONCE = 4;

let fd = -1;
let isStream = false;
/** The loop is told when the stream's socket has room. */
let awaitsRoom = false;

/** Takes the tap and the offload bits its kernel accepted; `watchLink` begins. */
export function takeTap(descriptor: number, offloads: number): void {
  fd = descriptor;
  setLink(false);
  openTap(descriptor, offloads);
}

/** Takes the socket of a guest, or a tap without a header, in place of one that has gone, and begins to take its frames. */
export function takeStream(descriptor: number, tap: boolean): void {
  if (isStream && fd >= 0) kernel.close(fd);
  fd = descriptor;
  isStream = true;
  awaitsRoom = false;
  expectGuest();
  setLink(true);
  openStream(descriptor, tap);
  watchLink();
  searchAtOnce();
}

/** Begins to take frames from the guest, when there is one. */
export function watchLink(): void {
  if (fd < 0) return;
  watchDescriptor(fd, EPOLLIN, LINK);
  beginAdvertising();
}

/** What router advertisements tell has changed: a guest that is there hears of it at once. */
export function announceChange(): void {
  if (fd >= 0) beginAdvertising();
}

/** Sends the router advertisement that is due, if one is. */
export function advertiseDue(): void {
  if (untilAdvertisement() === 0) advertised(sendRouterAdvertisement());
}

/** The tap or the guest is gone, by `errno`, 0: it has closed its end. The supervisor may have another. */
function linkGone(errno: number): void {
  forgetDescriptor(fd);
  stopAdvertising();
  if (!isStream) {
    log(LogLevel.INFO, MessageId.TAP_GONE, 1, errno, 0, 0, 0, 0, 0);
    return;
  }
  kernel.close(fd);
  fd = -1;
  closeStream();
  roomAgain();
  sendMessage({ id: 0, linkGone: { errno } });
}

function takeFrames(): void {
  for (let batch = 1; ; batch++) {
    const frames = receiveFrames();
    if (frames <= 0) {
      if (frames !== -EAGAIN && frames !== -EINTR) linkGone(-frames);
      return;
    }
    for (let index = 0; index < frames; index++) index += frameFromGuest(index, frames - index - 1);
    sendRun();
    flushAcknowledgements();
    if (!leftFrames(frames) || (batch >= BATCHES_AT_ONCE && !holdsFrames())) return;
  }
}

/** Something has happened on the link. */
export function linkEvent(events: number): void {
  if ((events & EPOLLOUT) !== 0) unblockStream();
  if ((events & ~EPOLLOUT) !== 0) takeFrames();
}

/** What was captured goes out, at the end of a turn. */
export function settleCapture(): void {
  if (!captures) return;
  const errno = flushCapture();
  if (errno === 0) return;
  stopCapture();
  log(LogLevel.WARNING, MessageId.CAPTURE_ENDED, 1, errno, 0, 0, 0, 0, 0);
}

/** What was gathered for the guest goes out, at the end of a turn. */
export function settleLink(): void {
  if (!isStream || fd < 0) return;
  const result = flushLink();
  if (result < 0) {
    linkGone(-result);
    return;
  }
  if (streamIsCalm()) roomAgain();
  if (isBlocked() === awaitsRoom) return;
  awaitsRoom = isBlocked();
  changeDescriptor(fd, awaitsRoom ? EPOLLIN | EPOLLOUT : EPOLLIN, LINK);
}
