// The parameters of PostgreSQL 16.14 with type, unit and limits: what its view pg_settings says.
import catalogue16 from "./postgresql-16.json" with { type: "json" };
// What is other in PostgreSQL 18.4; null: it is gone.
import differences18 from "./postgresql-18.json" with { type: "json" };

/** The major versions of PostgreSQL that a stack can be of. */
export const MAJOR_VERSIONS = [16, 18] as const;
export type MajorVersion = (typeof MAJOR_VERSIONS)[number];

/** What PostgreSQL says of one of its parameters. */
export interface Parameter {
  readonly type: string;
  readonly unit?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly values?: string;
}

type Catalogue = Readonly<Record<string, Parameter | null>>;

const CATALOGUES: Readonly<Record<MajorVersion, ReadonlyMap<string, Parameter>>> = {
  16: byName(catalogue16),
  18: byName({ ...catalogue16, ...differences18 }),
};

function byName(catalogue: Catalogue): ReadonlyMap<string, Parameter> {
  return new Map(
    Object.entries(catalogue).flatMap(([name, one]) => (one === null ? [] : [[name.toLowerCase(), one]])),
  );
}

/** A parameter of one major version, by its name in lower case; undefined when that version has none. */
export function parameterOf(name: string, major: MajorVersion): Parameter | undefined {
  return CATALOGUES[major].get(name);
}

/** The parameters of this name that the major versions have. */
export function parametersNamed(name: string): Parameter[] {
  return MAJOR_VERSIONS.map((major) => parameterOf(name, major)).filter((one) => one !== undefined);
}

/** The names of all parameters, in lower case. */
export function parameterNames(): string[] {
  return [...new Set(MAJOR_VERSIONS.flatMap((major) => [...CATALOGUES[major].keys()]))];
}
