import { renderArchiveScript } from "../archive-script.ts";
import { checkCertificatePair } from "../certificates/pair.ts";
import { type PgHbaOptions, renderPgHba } from "../pg-hba.ts";
import { CONFIGURATION_FILES, type ParameterValue, renderPostgresqlConf } from "../postgresql-conf.ts";
import type { VolumeFile } from "../volume-files.ts";

/** Certificate, key and authority as PEM texts. */
export interface ServerCertificates {
  /** The server's certificate, then those that lead to the authority. */
  readonly certificate: string;
  /** Secret. */
  readonly key: string;
  /** The authority, for a generated certificate. */
  readonly authority?: string;
}

/** What the files of the configuration volume are made from. */
export interface ServerConfiguration {
  readonly parameters: Readonly<Record<string, ParameterValue>>;
  /** Who may sign in; `tls` follows from whether there are certificates. */
  readonly access: Omit<PgHbaOptions, "tls">;
  /** Absent: TLS is off. */
  readonly certificates?: ServerCertificates;
  /** Seconds until a segment of the write-ahead log that is not full is archived. Absent: no archive. */
  readonly archiveTimeoutSeconds?: number;
  /** Port inside the container. Default: 5432. */
  readonly port?: number;
}

/**
 * The files of the configuration volume.
 *
 * @throws UserError for what the server would refuse: see {@link renderPostgresqlConf}, {@link renderPgHba} and
 * {@link checkCertificatePair}.
 */
export function serverConfigurationFiles(configuration: ServerConfiguration): VolumeFile[] {
  const { certificates } = configuration;
  const tls = certificates !== undefined;
  const port = configuration.port === undefined ? {} : { port: configuration.port };
  const archive =
    configuration.archiveTimeoutSeconds === undefined
      ? {}
      : { archiveTimeoutSeconds: configuration.archiveTimeoutSeconds };
  if (tls) checkCertificatePair(certificates.certificate, certificates.key);
  const authority = certificates?.authority;
  return [
    // Certificates first: the parameters that name them are never in place without them.
    ...(tls
      ? [
          { path: CONFIGURATION_FILES.key, content: certificates.key, mode: 0o600 },
          { path: CONFIGURATION_FILES.certificate, content: certificates.certificate, mode: 0o600 },
        ]
      : []),
    ...(authority === undefined
      ? []
      : [{ path: CONFIGURATION_FILES.authority, content: authority, mode: 0o600 }]),
    ...(configuration.archiveTimeoutSeconds === undefined
      ? []
      : [
          {
            path: CONFIGURATION_FILES.archiveScript,
            content: renderArchiveScript(configuration.parameters),
            mode: 0o600,
          },
        ]),
    { path: CONFIGURATION_FILES.pgHba, content: renderPgHba({ ...configuration.access, tls }), mode: 0o600 },
    {
      path: CONFIGURATION_FILES.postgresqlConf,
      content: renderPostgresqlConf(configuration.parameters, { tls, ...port, ...archive }),
      mode: 0o600,
    },
  ];
}
