/** A resource as the engine is about to make it. */
export interface Declared {
  readonly type: string;
  readonly name: string;
  readonly props: Readonly<Record<string, unknown>>;
  readonly opts: { readonly protect: boolean; readonly additionalSecretOutputs: readonly string[] };
}

/** What a rule knows beside the resource. It comes from the stack's config, not from what the program made of it. */
export interface Context {
  readonly stack: string;
  readonly environment: string;
  /** Until when the stack may be destroyed; absent: never. */
  readonly allowDestroyUntil?: string;
  /** Folder of the host that backups go to; absent: a volume. */
  readonly backupDirectory?: string;
  /** Name of the stack's network. */
  readonly networkName: string;
  /** Where engines keep their own data, beside the places that belong to the host's system. */
  readonly engineFolders?: readonly string[];
  readonly now: Date;
}

/** Something that must be so. */
export interface Rule {
  readonly name: string;
  /** Why. */
  readonly reason: string;
  /** How it is mended. */
  readonly remedy: string;
  /** It warns and stops nothing. Default: false. */
  readonly advice?: boolean;
  /** Environments that it is for. Default: all. */
  readonly environments?: readonly string[];
  /** Types of the resources that it looks at; empty: all. */
  readonly types: readonly string[];
  /** What is wrong with one, in a few words; undefined: nothing. */
  readonly check: (resource: Declared, context: Context) => string | undefined;
}

export const CONTAINER = "docker:index/container:Container";
export const VOLUME = "docker:index/volume:Volume";
export const IMAGE = "docker:index/remoteImage:RemoteImage";
export const RANDOM_PASSWORD = "random:index/randomPassword:RandomPassword";
/** Type of a dynamic resource of this project. */
export const dynamic = (name: string): string => `pulumi-nodejs:dynamic/pgstack:${name}`;

/** Where a loss would hurt. */
export const STRICT = ["staging", "production"] as const;
export const PRODUCTION = ["production"] as const;

/** A property as the list that it should be. */
export function list<Element>({ props }: Declared, name: string): readonly Element[] {
  const value = props[name];
  return Array.isArray(value) ? (value as Element[]) : [];
}

/** A property as the object that it should be. */
export function record({ props }: Declared, name: string): Readonly<Record<string, unknown>> {
  const value = props[name];
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** Labels of a container or volume, or of a dynamic resource, by name. */
export function labelsOf(resource: Declared): ReadonlyMap<string, string> {
  const { labels } = resource.props;
  if (!Array.isArray(labels))
    return new Map(Object.entries(record(resource, "labels") as Record<string, string>));
  const found = new Map<string, string>();
  for (const { label, value } of labels as { readonly label: string; readonly value: string }[]) {
    // Given twice, it is neither: which one counts is up to the provider.
    found.set(label, found.has(label) && found.get(label) !== value ? "given twice" : value);
  }
  return found;
}
