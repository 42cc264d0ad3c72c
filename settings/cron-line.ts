import { Cron } from "croner";
import { value } from "./values.ts";

/** A schedule of five fields (minute, hour, day of month, month, day of week), in UTC. */
export function cronLine() {
  return value((given) => {
    const right =
      'five fields for minute, hour, day of month, month and day of week, such as "0 2 * * *" for 02:00 UTC each day';
    if (typeof given !== "string" || given.length > 256 || !/^\S+( +\S+){4}$/.test(given)) return { right };
    try {
      const next = new Cron(given, { mode: "5-part", timezone: "UTC", paused: true }).nextRun();
      return next === null ? { right: "a schedule that comes round: no day fits this one" } : { fit: given };
    } catch {
      return { right };
    }
  });
}
