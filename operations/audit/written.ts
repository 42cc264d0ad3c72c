/** One log of one stack. */
export interface WrittenLog {
  readonly logsDirectory: string;
  readonly stack: string;
}

const written = new Map<string, WrittenLog>();

/** Remembers that this process has written to a log. */
export function noteWritten({ logsDirectory, stack }: WrittenLog): void {
  written.set(JSON.stringify([logsDirectory, stack]), { logsDirectory, stack });
}

/** The logs that this process has written to. */
export function writtenLogs(): readonly WrittenLog[] {
  return [...written.values()];
}
