const SHOWN = 20;

/** Refuses a restore of which something would not come back. */
export function describeLosses(losses: readonly string[]): string {
  const more = losses.length > SHOWN ? `; and ${losses.length - SHOWN} more` : "";
  return `nothing was changed: what stands now and is not so in the backup would be lost: ${losses.slice(0, SHOWN).join("; ")}${more}. --accept-losses goes on without it`;
}
