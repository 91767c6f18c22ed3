/**
 * The device that taps are made with.
 */
import { accessSync, constants } from 'node:fs';

/** Whether we may open it; false when there is none, too. */
export function isTunAccessible(): boolean {
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
