/** Turns the URL of a request into its query. */

/** Not split at each `?`: a second one belongs to a value. */
export function queryOf({ url }: { readonly url: string }): URLSearchParams {
  return new URL(url, 'http://exporter').searchParams;
}
