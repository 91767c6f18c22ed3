/**
 * Questions to the worker that are not answered yet. An answer bears the number of its question, and is of the kind that was asked for: the
 * worker has to keep to that, like to all of the dialogue.
 */
import type { Body, Envelope } from './channel.ts';

/** What may be asked, and what answers it. */
const ANSWERS = { statusRequest: 'status', flowsRequest: 'flows' } as const;
export type Question = keyof typeof ANSWERS;

export interface QuestionsParts {
  /** Sends a question. Throws when the dialogue has ended. */
  send(question: Question, facts: { readonly first?: number }, id: number): void;
  /** The worker has said what it may not; one clause for people. */
  broken(reason: string): void;
}

/** Those of one worker. */
export class Questions {
  readonly #parts: QuestionsParts;
  readonly #open = new Map<number, { readonly answer: Body; resolve(envelope: Envelope): void }>();
  #last = 0;

  constructor(parts: QuestionsParts) {
    this.#parts = parts;
  }

  /** The answer, which never comes when the worker hangs. */
  ask(question: Question, facts: { readonly first?: number } = {}): Promise<Envelope> {
    return new Promise((resolve) => {
      this.#last++;
      this.#parts.send(question, facts, this.#last);
      this.#open.set(this.#last, { answer: ANSWERS[question], resolve });
    });
  }

  /** An envelope that bears a number. */
  answered(envelope: Envelope & { body: Body }): void {
    const id = envelope.id ?? 0;
    const asked = this.#open.get(id);
    if (asked?.answer !== envelope.body) {
      this.#parts.broken(`a ${envelope.body} that nobody has asked for`);
      return;
    }
    this.#open.delete(id);
    asked.resolve(envelope);
  }
}
