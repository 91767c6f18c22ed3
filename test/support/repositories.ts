/**
 * A git repository with a history, and the two ways git serves one: its daemon, and nginx with git's CGI program.
 */
import { mkdirSync } from 'node:fs';
import { check, type Running, start } from './processes.ts';
import { accepting, foldered, startNginx, type WebServer } from './servers.ts';
import type { Topology } from './topology.ts';

const HOUR = 3_600_000;
const FILES_IN_FOLDER = 50;

/** `git fast-import`'s words for a line of commits, each of which changes one file of 40 folders. */
function history(commits: number): string {
  const words: string[] = [];
  for (let number = 1; number <= commits; number++) {
    // Contents that do not compress to nothing, and that are the same in every run.
    const text = Array.from({ length: 60 }, (_, line) => ((number * 7_919 + line * 104_729) ** 2).toString(36)).join('\n');
    const message = `change ${number}`;
    const path = `folder-${number % 40}/file-${number % FILES_IN_FOLDER}`;
    words.push(`commit refs/heads/main\ncommitter a <a@b> ${1_700_000_000 + number} +0000\ndata ${message.length}\n${message}`);
    words.push(`M 100644 inline ${path}\ndata ${text.length}\n${text}\n`);
  }
  return `${words.join('\n')}\ndone\n`;
}

/** Makes a bare repository `NAME` in a folder, with so many commits: three objects or more for each. */
export async function makeRepository(folder: string, name: string, commits: number): Promise<void> {
  const git = (words: readonly string[], input?: string): Promise<string> =>
    check(['git', '-C', folder, ...words], { user: 0, env: { HOME: folder }, ...(input === undefined ? {} : { input }) });
  await git(['init', '-q', '--bare', '-b', 'main', name]);
  await git(['-C', name, 'config', 'http.receivepack', 'true']);
  await git(['-C', name, 'fast-import', '--quiet', '--done'], history(commits));
}

export interface GitServers {
  readonly daemon: Running;
  readonly web: WebServer;
  /** Where the repositories are. */
  readonly folder: string;
}

/** Serves the repositories of one folder: `git://ADDRESS/NAME`, and `http://ADDRESS:PORT/git/NAME`, which also takes pushes. */
export async function startGitServers(topology: Topology, namespace: string, address: string, port: number): Promise<GitServers> {
  const folder = foldered(topology, 'repositories');
  mkdirSync(folder, { recursive: true });
  const env = { HOME: folder, GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'safe.directory', GIT_CONFIG_VALUE_0: '*' };
  const line = ['git', 'daemon', '--export-all', `--base-path=${folder}`, `--listen=${address}`, '--reuseaddr'];
  const daemon = start(line, { namespace, user: 0, timeout: HOUR, env });
  await accepting(daemon, namespace, address, 9418);
  const socket = `${folder}/fcgi`;
  start(['fcgiwrap', '-c', '4', '-s', `unix:${socket}`], { namespace, user: 0, timeout: HOUR, env });
  const parameters = {
    SCRIPT_FILENAME: '/usr/lib/git-core/git-http-backend',
    GIT_PROJECT_ROOT: folder,
    GIT_HTTP_EXPORT_ALL: '1',
    PATH_INFO: '$1',
    QUERY_STRING: '$query_string',
    REQUEST_METHOD: '$request_method',
    CONTENT_TYPE: '$content_type',
    CONTENT_LENGTH: '$content_length',
    REMOTE_USER: 'somebody',
    REMOTE_ADDR: '$remote_addr',
  };
  const words = Object.entries(parameters).map(([name, value]) => `fastcgi_param ${name} ${value};`);
  const locations = `location ~ ^/git(/.*)$ { fastcgi_pass unix:${socket}; ${words.join(' ')} }`;
  const web = await startNginx(topology, namespace, [address], port, { locations });
  return { daemon, web, folder };
}
