/**
 * What a manual says, before it has a form. In texts `--name` and `-x` are options wherever they stand; what stands in backticks is typed
 * as it is; a word in angle brackets stands for something else.
 */

/** A paragraph, a list of terms, or lines that stay as they are. */
export type Block = string | { readonly terms: readonly Term[] } | { readonly lines: readonly string[] };

export interface Term {
  readonly term: string;
  readonly text: string;
}

export interface Chapter {
  readonly heading: string;
  readonly blocks: readonly Block[];
}
