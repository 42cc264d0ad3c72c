import { X509Certificate } from "node:crypto";
import { checkCertificatePair } from "./certificates/pair.ts";
import { dockerEngine } from "./docker.ts";
import { heldReason } from "./held.ts";
import { CONFIGURATION_FILES } from "./postgresql-conf.ts";
import { inRunningContainer } from "./running-container.ts";
import {
  configurationErrors,
  foreignParameters,
  pendingRestart,
  reload,
  resetParameters,
  tryParameters,
} from "./server-configuration/live-checks.ts";
import { servedCertificate } from "./server-configuration/served-certificate.ts";
import { LABEL_STACK, type Target } from "./target.ts";
import { errorLine, UserError } from "./user-error.ts";
import type { ContainerFile } from "./volume/archive.ts";
import { readVolumeFiles, type VolumeFile, writeVolumeFiles } from "./volume-files.ts";

export {
  type ServerCertificates,
  type ServerConfiguration,
  serverConfigurationFiles,
} from "./server-configuration/files.ts";
export { configurationDrift } from "./server-configuration/live-checks.ts";

/** What {@link applyServerConfiguration} brings where. */
export interface ApplyServerConfigurationOptions {
  /** Volume that the server sees at `/etc/pgstack`. */
  readonly configurationVolume: string;
  /** Id of the server's image. */
  readonly image: string;
  /** From {@link serverConfigurationFiles}. */
  readonly files: readonly VolumeFile[];
  /** Labels of the stack. Default: the label with its name. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** What {@link applyServerConfiguration} did. */
export interface AppliedServerConfiguration {
  /** Files whose content or mode is another one now. */
  readonly changed: readonly string[];
  /** True when a running server has taken the files over. False: no server ran. */
  readonly reloaded: boolean;
  /** Parameters whose new value waits for a restart of the server. */
  readonly pendingRestart: readonly string[];
  /** Parameters that somebody had set by `ALTER SYSTEM`: they are as the stack says again. */
  readonly reset: readonly string[];
}

/**
 * Brings the server's configuration files in place, and has a running server take them over without a restart.
 *
 * Nothing is written that is known to be wrong: certificate and key are looked at first, and the parameters are
 * tried by the server's own program. After writing, the server's views of its files are asked, it reloads, and the
 * certificate that it serves then must be the new one. What fails on the way puts the old files back, so the server
 * goes on as before and also starts again as before.
 *
 * @throws UserError naming what is wrong with the files; the old ones are in place then.
 */
export async function applyServerConfiguration(
  target: Target,
  options: ApplyServerConfigurationOptions,
): Promise<AppliedServerConfiguration> {
  const docker = dockerEngine(target.dockerHost);
  const write = (files: readonly VolumeFile[]): Promise<void> =>
    writeVolumeFiles(docker, {
      volume: options.configurationVolume,
      image: options.image,
      directory: "",
      files,
      labels: options.labels ?? { [LABEL_STACK]: target.stack },
    });
  const text = (path: string): string | undefined => {
    const content = options.files.find((file) => file.path === path)?.content;
    return content === undefined ? undefined : content.toString();
  };
  const certificate = text(CONFIGURATION_FILES.certificate);
  const key = text(CONFIGURATION_FILES.key);
  if (certificate !== undefined || key !== undefined) checkCertificatePair(certificate ?? "", key ?? "");

  const before = await readVolumeFiles(docker, {
    volume: options.configurationVolume,
    image: options.image,
    paths: options.files.map((file) => file.path),
  });
  const changed = options.files.filter((file) => !isSame(file, before.get(file.path)));
  const paths = changed.map((file) => file.path);
  const parameters = text(CONFIGURATION_FILES.postgresqlConf);
  return inRunningContainer(target, takenOver, async () => {
    if (changed.length > 0) await write(changed);
    return { changed: paths, reloaded: false, pendingRestart: [], reset: [] };
  });

  async function takenOver(): Promise<AppliedServerConfiguration> {
    const wrong = parameters === undefined ? undefined : await tryParameters(target, parameters);
    if (wrong !== undefined) throw new UserError(`the server refuses the settings: ${wrong}`);
    const held = changed.length > 0 ? await heldReason(target) : undefined;
    if (held !== undefined) throw new UserError(`nothing was changed, the server is held: ${held}`);
    try {
      if (changed.length > 0) await write(changed);
      // Also when no file changed: a run that was killed after writing has left the server with the old ones.
      await takeOver(target, certificate);
    } catch (error) {
      await putBack(target, write, changed, before).catch((second: unknown) => {
        throw new Error(`${errorLine(error)}; and putting the old files back failed: ${errorLine(second)}`);
      });
      throw error;
    }
    const reset = await foreignParameters(target);
    if (reset.length > 0) {
      await resetParameters(target, reset);
      await reload(target);
    }
    return { changed: paths, reloaded: true, pendingRestart: await pendingRestart(target), reset };
  }
}

async function takeOver(target: Target, certificate: string | undefined): Promise<void> {
  const errors = await configurationErrors(target);
  if (errors.length > 0) throw new UserError(`the server refuses its files: ${errors.join("; ")}`);
  await reload(target);
  if (certificate === undefined) return;
  const wanted = new X509Certificate(certificate).fingerprint256;
  const served = await servedCertificate(target);
  if (served?.fingerprint256 !== wanted) {
    const instead = served === undefined ? "refuses TLS" : "still serves another one";
    throw new UserError(`the server has not taken over its certificate and ${instead}: its log says why`);
  }
}

/** Puts the files back that were there before; one that was not stays, since the old files do not name it. */
async function putBack(
  target: Target,
  write: (files: readonly VolumeFile[]) => Promise<void>,
  changed: readonly VolumeFile[],
  before: ReadonlyMap<string, ContainerFile>,
): Promise<void> {
  const old = changed.flatMap((file) => {
    const found = before.get(file.path);
    return found === undefined ? [] : [{ path: file.path, ...found }];
  });
  if (old.length === 0) return;
  await write(old);
  await reload(target);
}

function isSame(file: VolumeFile, found: ContainerFile | undefined): boolean {
  return found !== undefined && found.mode === file.mode && found.content.equals(Buffer.from(file.content));
}
