import { queryAsSuperuser } from "../superuser.ts";
import type { HealthCheck } from "./check.ts";
import type { Finding } from "./report.ts";

/** One line of a configuration file that the server does not accept. */
export interface InvalidLine {
  readonly file: string;
  readonly line: number | null;
  readonly error: string;
}

/**
 * Lines of pg_hba.conf and postgresql.conf that the server would refuse at the next reload. Value: how many.
 * Asked as superuser: nobody else may read these views.
 */
export const configurationFiles: HealthCheck = {
  name: "configuration files",
  quick: false,
  async run({ target }) {
    const lines = await queryAsSuperuser<{ file: string; line: number | null; error: string }>(
      target,
      `select file_name as file, line_number as line, error from pg_hba_file_rules where error is not null
       union all
       select sourcefile, sourceline, concat_ws(': ', name, error) from pg_file_settings
       where error is not null and error <> 'setting could not be applied'
       order by 1, 2`,
    );
    return evaluateConfigurationFiles(lines);
  },
};

/** Judges the refused lines. A setting that only waits for a restart is not one: see `settings pending restart`. */
export function evaluateConfigurationFiles(lines: readonly InvalidLine[]): Finding {
  if (lines.length === 0) return { status: "ok", message: "all lines are valid", value: 0 };
  const said = lines.map(({ file, line, error }) => `${file}${line === null ? "" : `:${line}`}: ${error}`);
  return { status: "failed", message: said.join("; "), value: lines.length };
}
