import type { Wrong } from "./wrong-values.ts";

/** Addresses, ports, settings of PostgreSQL and of TLS that are wrong. */
export const WRONG_SERVER_SETTINGS: readonly Wrong[] = [
  [
    { publishAddress: "localhost" },
    'pgstack:publishAddress is "localhost"; it must be an IP address such as 127.0.0.1',
  ],
  [{ publishPort: "0" }, 'pgstack:publishPort is "0"; it must be a whole number from 1 to 65535'],
  [
    { publish: "true", publishPort: "80" },
    "pgstack:publishPort is 80; it must be from 1024 to 65535, or the stack run as root",
  ],
  [
    { clientAddresses: '["10.0.0.0/33"]' },
    'pgstack:clientAddresses.0 is "10.0.0.0/33"; it must be a network such as 10.1.0.0/16 or fd00::/8: what follows the slash is a number from 0 to 32',
  ],
  [
    { clientAddresses: '["everyone"]' },
    'pgstack:clientAddresses.0 is "everyone"; it must be a network such as 10.1.0.0/16 or fd00::/8',
  ],
  [
    { clientAddresses: '"10.0.0.0/8"' },
    'pgstack:clientAddresses is "10.0.0.0/8"; it must be a list such as ["10.1.0.0/16"]',
  ],
  [
    { publish: "true", publishAddress: "0.0.0.0", tls: '{"mode":"off"}' },
    'pgstack:publishAddress is "0.0.0.0"; it must be 127.0.0.1 while tls.mode is "off": others could read what goes over it',
  ],
  [
    { publish: "true", publishAddress: "10.1.2.3", environment: "production" },
    'pgstack:clientAddresses is ["0.0.0.0/0","::/0"]; it must be the clients\' own networks where production publishes on 10.1.2.3',
  ],
  [
    { serverSettings: '{"max_connections":5}' },
    "pgstack:serverSettings.max_connections has a key of its own; use pgstack:maxConnections",
  ],
  [{ serverSettings: '{"port":5}' }, "pgstack:serverSettings.port has a key of its own; use pgstack:port"],
  [
    { serverSettings: '{"wrok_mem":5}' },
    "pgstack:serverSettings.wrok_mem is not a setting of PostgreSQL; did you mean work_mem?",
  ],
  [
    { serverSettings: '{"listen_addresses":"*"}' },
    "pgstack:serverSettings.listen_addresses is for the stack to set (the stack's network says who reaches the server); remove it",
  ],
  [
    { serverSettings: '{"archive_command":"rm -rf /"}' },
    "pgstack:serverSettings.archive_command is for the stack to set (the stack archives and recovers by itself); remove it",
  ],
  [
    { serverSettings: '{"recovery_target_time":"x"}' },
    "pgstack:serverSettings.recovery_target_time is for the stack to set (the stack archives and recovers by itself); remove it",
  ],
  [
    { serverSettings: '{"a b":1}' },
    "pgstack:serverSettings.a b is not the name of a PostgreSQL setting, such as random_page_cost",
  ],
  [
    { serverSettings: '{"max_wal_size":"2 gigs"}' },
    'pgstack:serverSettings.max_wal_size is "2 gigs"; it must be a number from 2 to 2147483647, counted in MB or with a unit such as kB, MB or GB',
  ],
  [
    { serverSettings: '{"random_page_cost":-1}' },
    "pgstack:serverSettings.random_page_cost is -1; it must be a number of at least 0",
  ],
  [
    { serverSettings: '{"log_statement":"some"}' },
    'pgstack:serverSettings.log_statement is "some"; it must be one of none, ddl, mod, all',
  ],
  [
    { serverSettings: '{"log_connections":"maybe"}' },
    'pgstack:serverSettings.log_connections is "maybe"; it must be on or off',
  ],
  [
    { serverSettings: '{"statement_timeout":"5 parsecs"}' },
    'pgstack:serverSettings.statement_timeout is "5 parsecs"; it must be a number from 0 to 2147483647, counted in ms or with a unit such as ms, s, min or h',
  ],
  [
    { serverSettings: '{"work_mem":null}' },
    "pgstack:serverSettings.work_mem has a key of its own; use pgstack:workMem",
  ],
  [
    { serverSettings: '{"log_timezone":null}' },
    "pgstack:serverSettings.log_timezone is null; it must be a text, a number, true or false",
  ],
  [
    { serverSettings: '{"TimeZone":"UTC","timezone":"UTC"}' },
    "pgstack:serverSettings.timezone is there twice, in capitals and small letters; PostgreSQL does not tell them apart",
  ],
  [
    { serverSettings: '{"ssl_min_protocol_version":"TLSv1"}' },
    'pgstack:serverSettings.ssl_min_protocol_version is "TLSv1"; it must be one of TLSv1.2, TLSv1.3',
  ],
  [
    { serverSettings: "[]" },
    'pgstack:serverSettings is []; it must be a map such as {"random_page_cost": 1.1}',
  ],
  [
    { serverSettings: "fsync" },
    'pgstack:serverSettings is "fsync"; it must be a map such as {"random_page_cost": 1.1}',
  ],
  [
    { serverSettings: '{"zero_damaged_pages":true}' },
    "pgstack:serverSettings.zero_damaged_pages is for the stack to set (it hides or makes damage; set it in a session of the superuser where a repair needs it); remove it",
  ],
  [
    { environment: "production", tls: '{"mode":"off"}' },
    'pgstack:tls.mode is "off"; it must be generated or files in production',
  ],
  [
    { environment: "staging", tls: '{"mode":"off"}' },
    'pgstack:tls.mode is "off"; it must be generated or files in staging',
  ],
  [
    { tls: '{"mode":"files","domain":"db.example.com"}' },
    'pgstack:tls.certificatesDirectory is missing; tls.mode "files" needs the folder of the certificates',
  ],
  [
    { tls: '{"mode":"files","certificatesDirectory":"/c"}' },
    'pgstack:tls.domain is missing; tls.mode "files" needs the name of the folder that holds fullchain.pem and privkey.pem',
  ],
  [
    { tls: '{"mode":"files","certificatesDirectory":"/c","domain":"../../etc"}' },
    'pgstack:tls.domain is "../../etc"; it must be a domain name in lower case such as db.example.com',
  ],
  [
    { tls: '{"mode":"files","certificatesDirectory":"/c","domain":"a.b","validityDays":3}' },
    'pgstack:tls.validityDays is 3; it must be left out with tls.mode "files"',
  ],
  [
    { tls: '{"certificatesDirectory":"/c"}' },
    'pgstack:tls.certificatesDirectory is "/c"; it must be left out with tls.mode "generated", or the mode "files"',
  ],
  [
    { tls: '{"validityDays":30,"renewBeforeDays":30}' },
    "pgstack:tls.renewBeforeDays is 30; it must be less than validityDays 30",
  ],
  [
    { tls: '{"validityDays":0}' },
    "pgstack:tls.validityDays is 0; it must be a whole number of days from 1 to 825",
  ],
  [
    { tls: '{"names":["bad name"]}' },
    'pgstack:tls.names.0 is "bad name"; it must be a domain name in lower case or an IP address',
  ],
  [
    { tls: "off" },
    'pgstack:tls is "off"; it must be a map such as {"mode": "files", "certificatesDirectory": "/etc/letsencrypt/live", "domain": "db.example.com"}',
  ],
  [{ tls: '{"mode":"on"}' }, 'pgstack:tls.mode is "on"; it must be one of generated, files, off'],
];
