import { isDeepStrictEqual } from "node:util";
import { yaml } from "../yaml.ts";
import { encryptedIn } from "./rebuilt-settings.ts";

/**
 * A stack's settings with the encryption that they had before. Everything else stays as it is now: whoever found a change of
 * the passphrase interrupted may have edited, and committed, the file since.
 */
export function withFormerSecrets(present: string, former: string): string {
  const [now, before] = [yaml().parseDocument(present), yaml().parseDocument(former)];
  const salt = before.get("encryptionsalt");
  if (salt === undefined) now.delete("encryptionsalt");
  else now.set("encryptionsalt", salt);
  const [configNow, configBefore] = [now, before].map(
    (document) => (document.toJSON() as { readonly config?: unknown } | null)?.config,
  );
  const encryptedNow = new Set(encryptedIn(configNow).map((path) => path.join("\0")));
  for (const path of encryptedIn(configBefore)) {
    // A secret that was removed, or set in plain text, since then is not brought back.
    if (encryptedNow.has(path.join("\0"))) now.setIn(["config", ...path], before.getIn(["config", ...path]));
  }
  return isDeepStrictEqual(now.toJSON(), before.toJSON()) ? former : now.toString({ lineWidth: 0 });
}
