/** One thing that is wrong, and the keys that it is about, none for the stack's name; the first one is named in its line. */
export interface Problem {
  readonly keys: readonly string[];
  /** The value that is wrong, where the line shows it. */
  readonly given?: unknown;
  /** With `given`: what would be right, after "it must be". Else what follows the setting's name. Without keys: the line. */
  readonly text: string;
}

/** A value that is not fit, alone or with others. */
export function mismatch(keys: readonly string[], given: unknown, right: string): Problem {
  // A missing value has a line of its own kind; null stands for what cannot be told apart from it.
  return { keys, given: given ?? null, text: right };
}
