/**
 * A registry of npm on this machine, with one package: tests install without a network, and see what would be asked of one.
 */
import { execFileSync } from 'node:child_process';
import { createReadStream, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface LocalRegistry {
  readonly url: string;
  /** Paths that were asked for. */
  readonly asked: readonly string[];
  close(): void;
}

/** Serves the package that is installed in `node_modules/NAME` below `root`, without what `files` does not name. */
export async function serveInstalled(root: string, name: string, files: readonly string[], folder: string): Promise<LocalRegistry> {
  const { version } = JSON.parse(readFileSync(`${root}/node_modules/${name}/package.json`, 'utf8')) as { version: string };
  const tarball = `${folder}/${name}.tar`;
  // npm unpacks what isn't compressed as well, and a runtime of 100 MB is not to be compressed for a test.
  const renamed = ['--transform', 's,^,package/,'];
  execFileSync('tar', ['-cf', tarball, '-C', `${root}/node_modules/${name}`, ...renamed, 'package.json', ...files]);
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url as string);
    if (request.url === `/${name}.tar`) createReadStream(tarball).pipe(response);
    else if (request.url === `/${name}`) {
      const dist = { tarball: `http://${request.headers.host}/${name}.tar` };
      const versions = { [version]: { name, version, dist } };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ name, 'dist-tags': { latest: version }, versions }));
    } else response.writeHead(404).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, asked, close: () => server.close() };
}
