import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { serverAddress } from "../../operations/connection.ts";
import { proveConnection } from "../../operations/connection-info/prove.ts";
import { connectionInfo, writeAuthorityFile } from "../../operations/connection-info.ts";
import { readyStack, type TestStack } from "../support/health-stack.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const TIME_LIMIT = 120_000;

describe("P8 connection information of a real server", { timeout: TIME_LIMIT }, () => {
  test("P8 the values of each role are proven over verified TLS, also by tunnel; wrong ones are not", async () => {
    const stack = await readyStack();
    const authorityFile = join(await temporaryFolder(), "authority.crt");
    await writeAuthorityFile(authorityFile, stack.trust.authority ?? "");
    const address = await serverAddress(stack.target);
    for (const role of ["administrator", "application", "readonly"] as const) {
      const all = { role, credential: stack.credentials[role], trust: stack.trust, address, authorityFile };
      const info = connectionInfo(stack.target, all);
      const proof = await proveConnection(stack.target, info, all);
      expect(proof).toMatchObject({ user: stack.credentials[role].role, database: stack.target.database });
      expect(proof.tls).toMatch(/^TLSv1\.[23]$/);
      await expect(proveConnection(stack.target, { ...info, host: "other.example" }, all)).rejects.toThrow(
        /other.example/,
      );
      const credential = { ...all.credential, password: "wrong" };
      await expect(proveConnection(stack.target, info, { ...all, credential })).rejects.toThrow(/password/);
    }

    const tunnel = {
      ...readonlyOptions(stack, authorityFile),
      address: await serverAddress(stack.target, "tunnel"),
    };
    const proof = await proveConnection(stack.target, connectionInfo(stack.target, tunnel), tunnel);
    expect(proof.user).toBe(stack.credentials.readonly.role);
  });
});

function readonlyOptions({ credentials, trust }: TestStack, authorityFile: string) {
  return { role: "readonly", credential: credentials.readonly, trust, authorityFile } as const;
}
