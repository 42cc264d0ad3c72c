import { X509Certificate } from "node:crypto";
import { expect, test, vi } from "vitest";
import { provider } from "../../providers/certificate.provider.ts";

const inputs = {
  commonName: "db",
  names: ["db"],
  addresses: ["127.0.0.1"],
  validityDays: 90,
  renewBeforeDays: 30,
};

test("S5 a generated certificate is renewed by date, by the same authority, with a key of its own", async () => {
  const { outs: first = inputs } = await provider.create(inputs);
  expect(await provider.diff?.("db", first as never, inputs)).toMatchObject({ changes: false });

  vi.useFakeTimers({ now: Date.now() + 61 * 86_400_000, toFake: ["Date"] });
  const told = vi.spyOn(console, "error").mockImplementation(() => {});
  try {
    expect(await provider.diff?.("db", first as never, inputs)).toMatchObject({ changes: true });
    expect(told).toHaveBeenCalledWith(expect.stringMatching(/certificate ends in 2[89] days: it is renewed/));
    const renewed = (await provider.update?.("db", first as never, inputs))?.outs as unknown as typeof state;
    const state = first as unknown as Record<"authority" | "authorityKey" | "certificate" | "key", string>;
    expect(renewed.authority).toBe(state.authority);
    expect(renewed.authorityKey).toBe(state.authorityKey);
    expect(renewed.key).not.toBe(state.key);
    const [old, young, authority] = [state.certificate, renewed.certificate, state.authority].map(
      (pem) => new X509Certificate(pem),
    );
    expect(young?.validToDate.getTime()).toBeGreaterThan(old?.validToDate.getTime() ?? Infinity);
    expect(young?.verify(authority?.publicKey as never)).toBe(true);
    expect(await provider.diff?.("db", renewed as never, inputs)).toMatchObject({ changes: false });
  } finally {
    told.mockRestore();
    vi.useRealTimers();
  }
});

test("S5 other names are a change at once", async () => {
  const { outs: first = inputs } = await provider.create(inputs);
  const named = { ...inputs, names: ["db", "db.example.org"] };
  expect(await provider.diff?.("db", first as never, named)).toMatchObject({ changes: true, replaces: [] });
});
