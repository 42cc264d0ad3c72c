import { queryAsSuperuser } from "../../../operations/superuser.ts";
import type { LiveStack } from "./live-stack.ts";
import { privateKeySecret, type Secret, textSecret, verifierSecret } from "./secrets.ts";

/** Passwords and verifiers as they are now. */
export async function secretsOf(of: LiveStack, which: string): Promise<Secret[]> {
  const verifiers = await queryAsSuperuser<{ role: string; verifier: string }>(
    of.target,
    "SELECT rolname AS role, rolpassword AS verifier FROM pg_authid WHERE rolpassword IS NOT NULL",
  );
  return [
    ...(["administrator", "application", "readonly"] as const).map((kind) =>
      textSecret(`${which} password of ${kind}`, of.credential(kind).password),
    ),
    ...verifiers.map(({ role, verifier }) => verifierSecret(`${which} verifier of ${role}`, verifier)),
  ];
}

/** The private keys of the server and of its authority, out of the decrypted state. */
export async function keysOf(of: LiveStack): Promise<Secret[]> {
  const { stdout } = await of.project.pulumi([
    "stack",
    "export",
    "--show-secrets",
    "--stack",
    of.project.stack,
  ]);
  const state = JSON.parse(stdout) as {
    deployment: { resources: { type: string; outputs?: Record<string, unknown> }[] };
  };
  const outputs =
    state.deployment.resources.find(({ type }) => type.endsWith("pgstack:Certificate"))?.outputs ?? {};
  const key = (name: string): string => JSON.parse((outputs[name] as { plaintext: string }).plaintext);
  return [
    privateKeySecret("key of the server's certificate", key("key")),
    privateKeySecret("key of the authority", key("authorityKey")),
  ];
}
