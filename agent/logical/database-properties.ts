import type { Context } from "../context.ts";
import { parameterAssignment } from "../parameter-value.ts";
import { query, quoteIdentifier, quoteLiteral, type Server } from "../sql.ts";

/** How strings of a database are encoded and sorted: fixed when it is created. */
export interface DatabaseLocale {
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  /** As `datlocprovider` has it: `c`, `i` or `b`. */
  readonly provider: string;
  readonly locale?: string;
  readonly icuRules?: string;
}

/** What PostgreSQL keeps about a database outside of it, so that pg_dump leaves it out unless it creates databases. */
export interface DatabaseProperties extends DatabaseLocale {
  readonly owner: string;
  readonly tablespace: string;
  readonly connectionLimit: number;
  readonly isTemplate: boolean;
  readonly comment?: string;
  /** Absent: nothing was ever granted or revoked. */
  readonly grants?: readonly Grant[];
  readonly labels: readonly { readonly provider: string; readonly label: string }[];
  /** ALTER DATABASE … SET, and ALTER ROLE … IN DATABASE … SET. */
  readonly settings: readonly Setting[];
}

interface Grant {
  readonly grantor: string;
  /** Absent: everybody. */
  readonly grantee?: string;
  readonly privilege: string;
  readonly grantable: boolean;
}

interface Setting {
  /** Absent: every role. */
  readonly role?: string;
  readonly parameter: string;
  readonly value: string;
}

/** Reads them; undefined where there is no such database. */
export async function readDatabaseProperties(
  server: Server,
  database: string,
  { signal }: Pick<Context, "signal">,
): Promise<DatabaseProperties | undefined> {
  // Columns for the locale have other names in later versions, so they are looked up by name.
  const [row] = await query<{ properties: DatabaseProperties }>(
    server,
    `SELECT json_strip_nulls(json_build_object(
              'owner', pg_get_userbyid(d.datdba), 'encoding', pg_encoding_to_char(d.encoding),
              'collate', d.datcollate, 'ctype', d.datctype, 'provider', d.datlocprovider::text,
              'locale', coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale'),
              'icuRules', to_jsonb(d)->>'daticurules',
              'tablespace', t.spcname, 'connectionLimit', d.datconnlimit, 'isTemplate', d.datistemplate,
              'comment', shobj_description(d.oid, 'pg_database'),
              'grants', CASE WHEN d.datacl <> acldefault('d', d.datdba) THEN
                 (SELECT coalesce(json_agg(json_build_object('grantor', pg_get_userbyid(a.grantor),
                           'grantee', CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END,
                           'privilege', a.privilege_type, 'grantable', a.is_grantable) ORDER BY a.place), '[]')
                    FROM aclexplode(d.datacl) WITH ORDINALITY a(grantor, grantee, privilege_type, is_grantable, place)) END,
              'labels', (SELECT coalesce(json_agg(json_build_object('provider', l.provider, 'label', l.label) ORDER BY l.provider), '[]')
                 FROM pg_shseclabel l WHERE l.classoid = 'pg_database'::regclass AND l.objoid = d.oid),
              'settings', (SELECT coalesce(json_agg(json_build_object('role', r.rolname,
                           'parameter', split_part(setting, '=', 1), 'value', substr(setting, strpos(setting, '=') + 1))
                           ORDER BY r.rolname NULLS FIRST, setting), '[]')
                 FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) setting
                WHERE s.setdatabase = d.oid))) AS properties
       FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace
      WHERE d.datname = ${quoteLiteral(database)}`,
    { signal },
  );
  return row?.properties;
}

const PROVIDERS: Readonly<Record<string, string>> = { c: "libc", i: "icu", b: "builtin" };

/**
 * Options of CREATE DATABASE for an empty one.
 *
 * @param locale How it encodes and sorts, with its tablespace. Default: as the server does.
 */
export function emptyDatabaseOptions(locale?: DatabaseLocale & { readonly tablespace?: string }): string {
  const options = ["TEMPLATE template0", ...(locale === undefined ? [] : [localeOptions(locale)])];
  if (locale?.tablespace !== undefined) options.push(`TABLESPACE ${quoteIdentifier(locale.tablespace)}`);
  return options.join(" ");
}

function localeOptions(locale: DatabaseLocale): string {
  const provider = PROVIDERS[locale.provider] ?? "libc";
  const options = [
    ["ENCODING", locale.encoding],
    ["LC_COLLATE", locale.collate],
    ["LC_CTYPE", locale.ctype],
    ["LOCALE_PROVIDER", provider],
    [provider === "builtin" ? "BUILTIN_LOCALE" : "ICU_LOCALE", locale.locale],
    ["ICU_RULES", locale.icuRules],
  ].filter((option): option is [string, string] => option[1] !== undefined);
  return options.map(([name, value]) => `${name} = ${quoteLiteral(value)}`).join(" ");
}

/** Statements that give a database its properties, and what of them cannot be had, a line each. */
export interface PropertyPlan {
  readonly statements: readonly string[];
  readonly lost: readonly string[];
}

/**
 * Plans how a new database gets its properties, beside locale and tablespace.
 *
 * @param database Its name then.
 * @param roles Those that the server has.
 */
export function planProperties(
  database: string,
  { owner, connectionLimit, isTemplate, comment, grants, labels, settings }: DatabaseProperties,
  roles: ReadonlySet<string>,
): PropertyPlan {
  const name = quoteIdentifier(database);
  const lost: string[] = [];
  const known = (role: string | undefined, what: string): boolean => {
    if (role === undefined || roles.has(role)) return true;
    lost.push(`${what}: there is no role ${role} any more`);
    return false;
  };
  const statements = [
    ...(known(owner, "the database's owner")
      ? [`ALTER DATABASE ${name} OWNER TO ${quoteIdentifier(owner)};`]
      : []),
    `ALTER DATABASE ${name} WITH CONNECTION LIMIT ${connectionLimit} IS_TEMPLATE ${isTemplate};`,
    ...(comment === undefined ? [] : [`COMMENT ON DATABASE ${name} IS ${quoteLiteral(comment)};`]),
    ...labels.map(
      ({ provider, label }) =>
        `SECURITY LABEL FOR ${quoteIdentifier(provider)} ON DATABASE ${name} IS ${quoteLiteral(label)};`,
    ),
  ];
  // It was closed to everybody while it was filled.
  if (grants === undefined) statements.push(`GRANT CONNECT, TEMPORARY ON DATABASE ${name} TO PUBLIC;`);
  else {
    statements.push(
      `REVOKE ALL ON DATABASE ${name} FROM PUBLIC, ${quoteIdentifier(roles.has(owner) ? owner : "postgres")};`,
    );
    for (const { grantor, grantee, privilege, grantable } of grants) {
      if (!known(grantee, `${privilege} on the database`) || !known(grantor, `${privilege} on the database`))
        continue;
      const grant = `GRANT ${privilege} ON DATABASE ${name} TO ${grantee === undefined ? "PUBLIC" : quoteIdentifier(grantee)}${grantable ? " WITH GRANT OPTION" : ""};`;
      // Only the grantor itself can be the one who granted.
      statements.push(
        ...(grantor === owner
          ? [grant]
          : [`SET LOCAL ROLE ${quoteIdentifier(grantor)};`, grant, "RESET ROLE;"]),
      );
    }
  }
  for (const { role, parameter, value } of settings) {
    if (!known(role, `setting ${parameter} of a role in the database`)) continue;
    const whose =
      role === undefined ? `DATABASE ${name}` : `ROLE ${quoteIdentifier(role)} IN DATABASE ${name}`;
    statements.push(`ALTER ${whose} SET ${parameterAssignment(parameter, value)};`);
  }
  return { statements, lost: [...new Set(lost)] };
}

/** What of the database is another one in the backup, a line each; values are not shown, they may be secrets. */
export function changedProperties(present: DatabaseProperties, stored: DatabaseProperties): string[] {
  const [before, after] = [partsOf(present), partsOf(stored)];
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((part) => before.get(part) !== after.get(part))
    .sort();
}

function partsOf({ settings, grants, labels, ...plain }: DatabaseProperties): Map<string, string> {
  return new Map([
    ...Object.entries(plain).map(([name, value]): [string, string] => [name, String(value)]),
    ["grants", JSON.stringify(grants)],
    ["security labels", JSON.stringify(labels)],
    ...settings.map(({ role, parameter, value }): [string, string] => [
      role === undefined ? `setting ${parameter}` : `setting ${parameter} of role ${role}`,
      value,
    ]),
  ]);
}
