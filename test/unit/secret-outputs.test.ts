import { beforeAll, expect, test } from "vitest";
import { type Recorded, recordResources } from "../support/pulumi-mocks.ts";

let recorded: Recorded;

beforeAll(async () => {
  recorded = await recordResources({});
});

/** What a resource has in its state that is nobody's business; Pulumi hands it to the provider in the clear. */
test.each([
  ["backup-configuration", "BackupConfiguration", ["pgbackrest", "repositories", "key"]],
  ["certificate", "Certificate", ["authorityKey", "key"]],
  ["health-check", "HealthCheckResource", ["passwords"]],
  ["role", "Role", ["password"]],
  ["schema-version", "SchemaVersionResource", ["password"]],
  ["seeded-cluster", "SeededCluster", ["pgbackrest", "key"]],
  ["server-configuration", "ServerConfiguration", ["tls"]],
])("%s keeps its secrets encrypted in the state [S2]", async (module, name, secrets) => {
  recorded.clear();
  const { [name]: Resource } = (await import(`../../providers/${module}.ts`)) as Record<
    string,
    new (
      name: string,
      inputs: object,
      options: object,
    ) => { readonly urn: { apply(then: () => void): void } }
  >;
  if (Resource === undefined) throw new Error(`${module} has no ${name}`);
  const resource = new Resource("one", {}, {});
  await new Promise<void>((resolve) => resource.urn.apply(() => resolve()));
  expect(recorded.all.map(({ secretOutputs }) => secretOutputs)).toEqual([expect.arrayContaining(secrets)]);
});
