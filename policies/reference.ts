import { RULES } from "./rules.ts";
import { STACK_RULES } from "./whole-stack.ts";

/** The page with the table of rules as they are. */
export function withRules(page: string): string {
  const rows = [
    ...RULES.map((rule) => ({ ...rule, where: rule.environments?.join(", ") ?? "all" })),
    ...STACK_RULES.map((rule) => ({ ...rule, where: "all", advice: false })),
  ].map(
    ({ name, where, reason, remedy, advice }) =>
      `| \`${name}\` | ${where}${advice ? ", advice" : ""} | ${reason} | ${remedy} |`,
  );
  const table = ["| rule | environments | why | to mend it |", "|---|---|---|---|", ...rows].join("\n");
  return page.replace(
    /(<!-- rules -->\n).*(<!-- \/rules -->)/s,
    (_, start: string, end: string) => `${start}${table}\n${end}`,
  );
}
