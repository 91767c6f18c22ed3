/**
 * Which sockets the loop waits for. Flow sockets are watched edge-triggered, once, for everything: a flow that peeks
 * data without taking it would keep a level-triggered event alive for ever.
 */
import { kernel } from '../link/kernel.ts';
import { FD, GENERATION, ROW, rows } from './row.ts';

export const EPOLLIN = 0x001;
export const EPOLLPRI = 0x002;
export const EPOLLOUT = 0x004;
export const EPOLLERR = 0x008;
export const EPOLLHUP = 0x010;
export const EPOLLRDHUP = 0x2000;
const EPOLLET = 1 << 31;
const CTL_ADD = 1;
const CTL_DELETE = 2;
const CTL_MOD = 3;

const ALL = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET;

let epoll = -1;

/** Sets the epoll instance that all flows are watched by. */
export function setEpoll(fd: number): void {
  epoll = fd;
}

/** Watches the flow's socket. Returns 0 or −errno. */
export function watchFlow(flow: number): number {
  const row = flow * ROW;
  return kernel.epollControl(epoll, CTL_ADD, rows[row + FD]!, ALL, flow, rows[row + GENERATION]!);
}

/**
 * Asks for the present readiness again, and so for an event as soon as the socket's send queue has room: the kernel looks
 * (and notes that somebody waits for space) whenever a watch is changed.
 */
export function watchFlowAgain(flow: number): number {
  const row = flow * ROW;
  return kernel.epollControl(epoll, CTL_MOD, rows[row + FD]!, ALL, flow, rows[row + GENERATION]!);
}

/** Watches a descriptor that is no flow, level-triggered; `data` < 0 tells which. */
export function watchDescriptor(fd: number, events: number, data: number): number {
  return kernel.epollControl(epoll, CTL_ADD, fd, events, data, 0);
}

/** A descriptor that is no flow is watched no more. */
export function forgetDescriptor(fd: number): void {
  kernel.epollControl(epoll, CTL_DELETE, fd, 0, 0, 0);
}

/** Changes what such a descriptor is watched for. */
export function changeDescriptor(fd: number, events: number, data: number): number {
  return kernel.epollControl(epoll, CTL_MOD, fd, events, data, 0);
}
