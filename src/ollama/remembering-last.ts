/** A pure function that remembers what it made of its last argument, as long as that is the same. */

/** Nothing is older for it, and it holds on to one argument and one result at most. */
export function rememberingLast<A extends string | object, T>(work: (argument: A) => T): (argument: A) => T {
  let last: { readonly argument: A; readonly result: T } | undefined;
  return (argument) => {
    if (last?.argument !== argument) {
      last = { argument, result: work(argument) };
    }
    return last.result;
  };
}
