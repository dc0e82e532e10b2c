/** Returns a message for any thrown value. */

/** The AggregateError of a dual-stack connect has no message, but its parts have. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.message === '') {
    return thrown.errors.map(messageOf).join(', ');
  }
  return thrown instanceof Error ? thrown.message : String(thrown);
}
