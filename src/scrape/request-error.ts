/** What a client gets instead of its answer. */

/** The client is told the message, with this status. Anything else that is thrown is a fault of the exporter's own. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly statusCode: number;

  constructor(statusCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.statusCode = statusCode;
  }
}
