import type { OpenFgaClient, TupleKey } from "@openfga/sdk";
import { UserError } from "../user-error.ts";
import type { Pending } from "./outbox.ts";
import { MEMBER_ROLES, type TargetRole } from "./roles.ts";

/** Where an OpenFGA server is, and which of its stores is meant. */
export interface OpenFgaPlace {
  /** Such as `https://openfga.internal:8080`. */
  readonly url: string;
  readonly storeId: string;
  /** Default: the store's latest. */
  readonly modelId?: string;
  /** Secret. Default: the server asks for none. */
  readonly token?: string;
}

/** Tuples of one membership that come and go. */
export interface TupleChanges {
  readonly writes: readonly string[];
  readonly deletes: readonly string[];
}

const TIMEOUT_MILLISECONDS = 10_000;
const ATTEMPTS = { maxRetry: 2, minWaitInMs: 100 };

/** The tenant tuples of an OpenFGA server: `user:<id>` is `owner`, `admin` or `member` of `tenant:<id>`. */
export class TenantTuples {
  readonly #client: OpenFgaClient;
  readonly #url: string;

  private constructor(client: OpenFgaClient, url: string) {
    this.#client = client;
    this.#url = url;
  }

  /** @throws UserError for a place that is none. Nothing is asked of the server yet. */
  static async at({ url, storeId, modelId, token }: OpenFgaPlace): Promise<TenantTuples> {
    const { CredentialsMethod, OpenFgaClient } = await import("@openfga/sdk");
    try {
      const client = new OpenFgaClient({
        ...{ apiUrl: url, storeId, retryParams: ATTEMPTS },
        ...(modelId === undefined ? {} : { authorizationModelId: modelId }),
        ...(token === undefined
          ? {}
          : { credentials: { method: CredentialsMethod.ApiToken, config: { token } } }),
        baseOptions: { timeout: TIMEOUT_MILLISECONDS },
      });
      return new TenantTuples(client, url);
    } catch (error) {
      throw new UserError(`OpenFGA at ${url}, store ${storeId}: ${reasonOf(error)}`);
    }
  }

  /** What has to change for a membership to be there with this role alone. */
  async plan(membership: Pending, role: TargetRole): Promise<TupleChanges> {
    const { user, object } = partsOf(membership);
    const { tuples } = await this.#told(() => this.#client.read({ user, object }));
    const held = new Set(tuples.map(({ key }) => key.relation));
    return {
      writes: role === "none" || held.has(role) ? [] : [role],
      deletes: MEMBER_ROLES.filter((relation) => relation !== role && held.has(relation)),
    };
  }

  /** Brings the tuples in line, all in one request that is done whole or not at all. @returns What was changed. */
  async bring(membership: Pending, role: TargetRole): Promise<TupleChanges> {
    const changes = await this.plan(membership, role);
    const keys = (relations: readonly string[]): TupleKey[] =>
      relations.map((relation) => ({ ...partsOf(membership), relation }));
    if (changes.writes.length + changes.deletes.length > 0) {
      await this.#told(() =>
        this.#client.write({ writes: keys(changes.writes), deletes: keys(changes.deletes) }),
      );
    }
    return changes;
  }

  async #told<Value>(work: () => Promise<Value>): Promise<Value> {
    try {
      return await work();
    } catch (error) {
      throw new UserError(`OpenFGA at ${this.#url}: ${reasonOf(error)}`, { cause: error });
    }
  }
}

function partsOf({ tenantId, userId }: Pending): { user: string; object: string } {
  return { user: `user:${userId}`, object: `tenant:${tenantId}` };
}

/** The server's own words, or how it could not be reached. */
function reasonOf(error: unknown): string {
  const { apiErrorMessage, code, message, cause } = error as {
    readonly apiErrorMessage?: string;
    readonly code?: string;
    readonly message?: string;
    readonly cause?: { readonly code?: string };
  };
  return apiErrorMessage ?? [code ?? cause?.code, message].filter((part) => part).join(": ") ?? String(error);
}
