/**
 * What the checks look at. Tests have worlds of their own making.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { release, userInfo } from 'node:os';

export interface World {
  readonly uid: number;
  /** The user's name, null when nobody knows it. */
  readonly user: string | null;
  /** All groups of the process. */
  readonly groups: readonly number[];
  /** Of the kernel: `6.1.0-18-amd64`. */
  readonly release: string;
  /** In the words of Node.js: `x64`. */
  readonly architecture: string;
  /** Version of the runtime: `24.1.0`. */
  readonly runtime: string;
  variable(name: string): string | undefined;
  /** The text of a file, null when it isn't there or can't be read. */
  read(path: string): string | null;
  /** Whether it may be read and written. */
  access(path: string): 'granted' | 'missing' | 'denied';
  /** Whose folder it is; null: it is none. */
  folder(path: string): { readonly uid: number; readonly mode: number } | null;
  /** Runs a command in a new namespace with a network; the status and what was said. */
  trial(): { readonly code: number; readonly stderr: string };
}

/** How long the trial may take, ms. */
const TRIAL_MS = 20_000;
const TRIAL = ['--config-net', '-q', '-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none', '--', 'true'];

/** This machine. `pasta` is the program of the installation. */
export function thisWorld(pasta: string): World {
  return {
    uid: process.geteuid?.() as number,
    user: userName(),
    groups: [process.getegid?.() as number, ...(process.getgroups?.() ?? [])],
    release: release(),
    architecture: process.arch,
    runtime: process.versions.node,
    variable: (name) => process.env[name],
    read,
    access,
    folder,
    trial: () => {
      const { status, stderr, error } = spawnSync(pasta, TRIAL, {
        stdio: ['ignore', 'ignore', 'pipe'],
        timeout: TRIAL_MS,
        killSignal: 'SIGKILL',
        encoding: 'utf8',
      });
      return { code: status ?? -1, stderr: error === undefined ? stderr : error.message };
    },
  };
}

function userName(): string | null {
  try {
    return userInfo().username;
  } catch {
    return null;
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function access(path: string): 'granted' | 'missing' | 'denied' {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return 'granted';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'missing' : 'denied';
  }
}

function folder(path: string): { uid: number; mode: number } | null {
  try {
    const status = statSync(path);
    return status.isDirectory() ? { uid: status.uid, mode: status.mode & 0o777 } : null;
  } catch {
    return null;
  }
}
