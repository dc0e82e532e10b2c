import { expect, onTestFinished, test } from 'vitest';
import { bcryptThread } from '../../src/web/bcrypt-thread.ts';

/** A thread that takes equal texts for a match, and dies of the password `die`. */
const WORKER = `
  import { parentPort, threadId } from 'node:worker_threads';
  parentPort.on('message', ({ password, hash }) => {
    if (password === 'die') throw new Error('died of ' + hash);
    if (password === 'exit') process.exit(1);
    parentPort.postMessage(password === hash);
  });`;

function start() {
  const thread = bcryptThread(new URL(`data:text/javascript,${encodeURIComponent(WORKER)}`));
  onTestFinished(thread.close);
  return thread;
}

test('each question gets its own answer', async () => {
  const { compare } = start();
  const questions = ['a/a', 'a/b', 'b/b', 'c/b'].map((question) => question.split('/'));
  const answers = await Promise.all(questions.map(([password = '', hash = '']) => compare(password, hash)));
  expect(answers).toEqual([true, false, true, false]);
});

test.each(['die', 'exit'])(
  'a thread that ends (%s) rejects what waits for it, and a new one is started',
  async (how) => {
    const { compare } = start();
    const results = await Promise.allSettled([compare('a', 'a'), compare(how, 'x'), compare('b', 'b')]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(await compare('a', 'a')).toBe(true);
  },
);

test('a thread that is closed leaves no question unanswered', async () => {
  const { compare, close } = start();
  const question = expect(compare('a', 'a')).rejects.toThrow('the thread that checks passwords ended');
  await close();
  await question;
});

test('closing what never started is nothing', async () => {
  await expect(start().close()).resolves.toBeUndefined();
});
