/** Characters that are valid in a header, and after the type in Authorization. */
import { validateHeaderValue } from 'node:http';

/** @returns the text @throws Error */
export function checkHeaderText(text: string): string {
  try {
    validateHeaderValue('x', text);
    return text;
  } catch {
    throw new Error('it contains characters that are invalid in a header');
  }
}

/** The file contains the whole header: the type would be sent twice, and the server would respond with 401. */
const WITH_TYPE = /^(?:authorization:|(?:bearer|basic|digest|token)\s)/i;

/** @returns the text @throws Error */
export function checkCredentials(text: string): string {
  if (WITH_TYPE.test(text)) {
    throw new Error(
      'it begins with the type of the authorization: remove it, and set "type" (default: Bearer)',
    );
  }
  return checkHeaderText(text);
}
