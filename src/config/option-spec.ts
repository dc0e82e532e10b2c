/** The declaration of an option. */

export interface OptionSpec<T> {
  /** Without the leading dashes. */
  readonly flag: string;
  /** Placeholder of the value in the help; undefined for a boolean option. */
  readonly placeholder?: string;
  /** The default, if neither the flag nor its variable is set, in the form that users type. */
  readonly fallback: string;
  readonly help: string;
  /** Given several times, the values are joined by commas; else the last one counts. */
  readonly repeatable?: boolean;
  /** Read after the option's own environment variable, before the fallback. */
  readonly alsoEnv?: string;
  /** @throws Error that states what was expected, without repeating the value */
  readonly parse: (text: string) => T;
}
