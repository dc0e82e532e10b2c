/** What is answered for people. */
export const TEXT = 'text/plain; charset=utf-8';
