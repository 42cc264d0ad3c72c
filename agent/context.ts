/** What an operation is given to be followed and ended by. */
export interface Context {
  /** Tells about a step, with how much is done from 0 to 1 where that is known. */
  step(text: string, fraction?: number): void;
  /** Ends the operation when the caller goes away or the agent is stopped. */
  readonly signal: AbortSignal;
}
