/** Questions to a worker, and one that answers as it likes. */
import { expect } from 'chai';
import type { Body, Envelope } from '../../supervisor/channel.ts';
import { Questions } from '../../supervisor/questions.ts';

describe('supervisor/questions', () => {
  let sent: unknown[][];
  let broken: string[];
  let questions: Questions;
  const envelope = (id: number, body: Body): Envelope & { body: Body } =>
    ({ id, body, [body]: {} }) as unknown as Envelope & { body: Body };

  beforeEach(() => {
    sent = [];
    broken = [];
    questions = new Questions({ send: (...words) => sent.push(words), broken: (reason) => broken.push(reason) });
  });

  it('each gets its own answer, in whatever order they come', async () => {
    const answers = [questions.ask('statusRequest'), questions.ask('flowsRequest', { first: 7 }), questions.ask('statusRequest')];
    expect(sent).to.deep.equal([
      ['statusRequest', {}, 1],
      ['flowsRequest', { first: 7 }, 2],
      ['statusRequest', {}, 3],
    ]);
    for (const [id, body] of [
      [3, 'status'],
      [2, 'flows'],
      [1, 'status'],
    ] as const)
      questions.answered(envelope(id, body));
    expect((await Promise.all(answers)).map(({ id }) => id)).to.deep.equal([1, 2, 3]);
    expect(broken).to.deep.equal([]);
  });

  for (const [name, id, body] of [
    ['to a number that was never given', 2, 'status'],
    ['of another kind', 1, 'flows'],
    ['that is none', 1, 'log'],
  ] as const) {
    it(`an answer ${name} breaks the dialogue`, () => {
      void questions.ask('statusRequest');
      questions.answered(envelope(id, body));
      expect(broken).to.deep.equal([`a ${body} that nobody has asked for`]);
    });
  }

  it('so does one that comes twice', () => {
    void questions.ask('statusRequest');
    for (const _ of [1, 2]) questions.answered(envelope(1, 'status'));
    expect(broken).to.have.length(1);
  });

  it('who asks when the dialogue has ended is told', async () => {
    const ended = new Questions({
      send: () => {
        throw new Error('it has ended');
      },
      broken: () => undefined,
    });
    const failure = await ended.ask('statusRequest').catch((error: Error) => error.message);
    expect(failure).to.equal('it has ended');
  });
});
