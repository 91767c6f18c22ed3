/**
 * h2load (of nghttp2) as a generator of HTTP requests, and what it says of them.
 */
import { check } from './processes.ts';

export interface HttpLoad {
  /** HTTP/1.1 or HTTP/2; whether the URL begins with https is another matter. */
  readonly version: 1 | 2;
  /** Connections at a time, each with one request under way. */
  readonly concurrency: number;
  /** Requests in all. Default: as many as `seconds` allow. */
  readonly requests?: number;
  readonly seconds?: number;
}

export interface HttpAnswers {
  /** Requests per second. */
  readonly rate: number;
  /** Requests that were answered with a status of 2xx, and those that failed in any way. */
  readonly good: number;
  readonly bad: number;
  /** Bytes of all bodies. */
  readonly bytes: number;
}

function number(text: string, pattern: RegExp): number {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`h2load did not say ${pattern}: ${text}`);
  return Number(found);
}

/** Requests one URL again and again; throws when h2load itself fails. `namespace` as in RunOptions. */
export async function requestMany(namespace: string | number, url: string, given: HttpLoad): Promise<HttpAnswers> {
  const how = given.version === 1 ? ['--h1'] : ['--npn-list=h2', '--no-tls-proto=h2c'];
  const amount = given.requests === undefined ? [`--duration=${given.seconds ?? 1}`] : [`--requests=${given.requests}`];
  const limit = 60_000 + (given.seconds ?? 0) * 1000;
  const text = await check(['h2load', ...how, ...amount, `--clients=${given.concurrency}`, url], { namespace, timeout: limit });
  return {
    rate: number(text, /([\d.]+) req\/s/),
    good: number(text, /status codes: (\d+) 2xx/),
    bad: number(text, /(\d+) failed/) + number(text, /(\d+) errored/) + number(text, /(\d+) timeout/),
    bytes: number(text, /\((\d+)\) data/),
  };
}
