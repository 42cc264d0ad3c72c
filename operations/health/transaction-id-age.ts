import { type HealthCheck, singleRow } from "./check.ts";
import type { Finding } from "./report.ts";
import { type HealthThresholds, judge } from "./thresholds.ts";

/** The oldest unfrozen transaction or multixact, and the database that holds it. */
export interface OldestTransaction {
  readonly database: string;
  readonly age: number;
}

/** How near the server is to running out of transaction ids. Value: transactions since the oldest unfrozen one. */
export const transactionIdAge: HealthCheck = {
  name: "transaction id age",
  quick: false,
  async run({ session, thresholds }) {
    const oldest = await singleRow<{ database: string; age: number }>(
      await session("administrator"),
      `select datname as database, greatest(age(datfrozenxid), mxid_age(datminmxid)) as age
       from pg_database order by 2 desc limit 1`,
    );
    return evaluateTransactionAge(oldest, thresholds);
  },
};

/** Judges the age. */
export function evaluateTransactionAge(
  { database, age }: OldestTransaction,
  thresholds: Pick<HealthThresholds, "transactionIdAge">,
): Finding {
  const status = judge(age, thresholds.transactionIdAge);
  const oldest = `${age.toLocaleString("en")} transactions, in ${database}`;
  const advice = ": end old transactions and unused slots, then VACUUM FREEZE";
  return { status, message: status === "ok" ? oldest : `${oldest}${advice}`, value: age };
}
