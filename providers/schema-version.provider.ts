import type { Client } from "pg";
import { audited } from "../operations/audit.ts";
import { connect } from "../operations/connection.ts";
import { waitUntilReady } from "../operations/readiness.ts";
import { bringSchemaTo, schemaDrift } from "../operations/schema-version.ts";
import { serverTrust } from "../operations/target.ts";
import { liveDrift } from "./live-drift.ts";
import { dynamicProvider } from "./provider.ts";
import type { SchemaVersionInputs, SchemaVersionResults } from "./schema-version.ts";

/** Brings a schema to its version; it stays when the resource goes. */
export const provider = dynamicProvider<SchemaVersionInputs, SchemaVersionResults>({
  async create(inputs) {
    return { id: `${inputs.target.database}/schema`, results: await apply(inputs) };
  },
  async update(inputs) {
    return apply(inputs);
  },
  async drift(inputs) {
    const { target, version, readyTimeoutSeconds } = inputs;
    return liveDrift(target, "schema", readyTimeoutSeconds, () =>
      withClient(inputs, async (client) =>
        (await schemaDrift(client, { project: process.cwd(), version })).map((description) => ({
          description,
        })),
      ),
    );
  },
});

async function apply(inputs: SchemaVersionInputs): Promise<SchemaVersionResults> {
  const { target, version, logsDirectory, users } = inputs;
  const parameters: Record<string, unknown> = { version };
  return audited({ logsDirectory, stack: target.stack }, "migrate.up", parameters, async () => {
    await waitUntilReady(target, { timeoutSeconds: inputs.readyTimeoutSeconds });
    const done = await withClient(inputs, (client) =>
      bringSchemaTo(target, client, {
        ...{ project: process.cwd(), version },
        ...(users === undefined ? {} : { users }),
      }),
    );
    const applied = done.map(({ name }) => name);
    Object.assign(parameters, { migrations: applied });
    return { applied };
  });
}

async function withClient<Value>(
  inputs: SchemaVersionInputs,
  work: (client: Client) => Promise<Value>,
): Promise<Value> {
  const { target, administrator: role, password, tls } = inputs;
  const client = await connect(target, { role, password }, tls ? serverTrust(inputs) : undefined, {
    applicationName: "pgstack migrate",
  });
  client.on("error", () => {});
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
