/**
 * The result of work, or an error when it takes longer. The work itself is not ended, its late result is dropped.
 *
 * @param milliseconds Time limit.
 * @param what Begins the error's message, for example `the check`.
 */
export async function withinTime<T>(work: Promise<T>, milliseconds: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const message = `${what} has not ended within ${milliseconds / 1_000} s`;
    timer = setTimeout(() => reject(new Error(message)), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
