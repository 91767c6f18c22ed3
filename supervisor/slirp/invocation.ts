/**
 * What was asked for by the words of slirp4netns, in the way of supervisor/args.ts.
 */
import { type Invocation, parseArguments } from '../args.ts';
import { SlirpCaller } from './caller.ts';
import { parseSlirp } from './options.ts';

/** The invocation of pasta or passt that the words stand for, and who is owed the rest. @throws UsageError */
export function readSlirp(words: readonly string[]): { readonly invocation: Invocation; readonly slirp: SlirpCaller | null } {
  const asked = parseSlirp(words);
  if (asked.kind === 'text') return { invocation: { ...asked, onStderr: false }, slirp: null };
  return { invocation: parseArguments(asked.mode, asked.words), slirp: new SlirpCaller(asked.slirp) };
}
