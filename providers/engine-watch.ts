const POLL_MILLISECONDS = 100;
let watching = false;

/**
 * Ends this process as soon as the engine that started it is gone. A killed engine leaves its plugins behind; one that
 * went on working, and cleared away what it found half made, would get in the way of the next run.
 */
export function endWithEngine(): void {
  if (watching) return;
  watching = true;
  const engine = process.ppid;
  setInterval(() => {
    // A process whose parent has died gets another one.
    if (process.ppid !== engine) process.kill(process.pid, "SIGKILL");
  }, POLL_MILLISECONDS).unref();
}
