import { bearsMark } from "../../agent/database-mark.ts";
import { LIMITED_LOGIN_PREFIX, REACH } from "../../agent/limited-login.ts";
import { restoreMark } from "../../agent/logical/places.ts";
import { SLOT } from "../../agent/stream/slot.ts";
import { TECHNICAL_SCHEMA } from "../database/specification.ts";
import type { OwnThings } from "../foreign.ts";
import { literal, type Sql } from "../sql.ts";
import { SUPERUSER } from "../superuser.ts";
import type { Target } from "../target.ts";
import { isOurs, isTemplate, OF_TESTS } from "../testing/names.ts";

/** Streams of upgrades, see agent/upgrade/streams.ts; while a slot of theirs is there, also those of its first copies. */
const UPGRADE_STREAMS: readonly string[] = ["pgstack_upgrade", "pgstack_way_back"];
/** Membership in these is as good as the server itself: https://www.postgresql.org/docs/16/predefined-roles.html */
const POWERFUL: readonly string[] = [
  ...["pg_read_server_files", "pg_write_server_files", "pg_execute_server_program"],
  ...["pg_create_subscription", "pg_read_all_data", "pg_write_all_data"],
];
/** More names of one kind are counted only. */
const MOST_NAMES = 5;

const list = (names: readonly string[]): Sql => names.map((name) => literal(name)).join(", ");

/** What belongs to the cluster as a whole: rows of `Foreign`, to be asked in any database. */
export function clusterSql(roles: OwnThings["roles"], { stack, database }: Target): Sql {
  const own = Object.values(roles);
  const upgradeStreams = list(UPGRADE_STREAMS);
  return `WITH RECURSIVE ${REACH}, powers AS (
  SELECT p.oid, p.rolname, p.rolcanlogin,
         concat_ws(', ',
           CASE WHEN p.rolsuper THEN 'SUPERUSER' END, CASE WHEN p.rolreplication THEN 'REPLICATION' END,
           CASE WHEN p.rolbypassrls THEN 'BYPASSRLS' END, CASE WHEN p.rolcreaterole THEN 'CREATEROLE' END,
           (SELECT string_agg(DISTINCT 'member of ' || g.rolname, ', ') FROM reach r JOIN pg_roles g ON g.oid = r.role
             WHERE r.member = p.oid AND g.oid <> p.oid AND (g.rolsuper OR g.rolreplication OR g.rolname IN (${list(POWERFUL)})))) AS power
    FROM pg_roles p
   WHERE p.rolname NOT IN (${list([SUPERUSER, ...own])}) AND p.oid >= 16384
     -- The agent's own for the time of a run, which has no attribute but BYPASSRLS.
     AND NOT (starts_with(p.rolname, ${literal(LIMITED_LOGIN_PREFIX)}) AND NOT p.rolsuper AND NOT p.rolreplication AND NOT p.rolcreaterole)
)
SELECT 'role' AS kind, rolname::text AS name, concat_ws(', ', CASE WHEN rolcanlogin THEN 'LOGIN' END, nullif(power, '')) AS detail,
       power <> '' AS alarming
  FROM powers WHERE rolcanlogin OR power <> ''
UNION ALL
SELECT 'replication slot', s.slot_name::text,
       concat_ws(', ', s.slot_type, 'in database ' || s.database, CASE WHEN s.active THEN 'in use' ELSE 'not in use' END,
         'holds ' || pg_size_pretty(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                                                         ELSE pg_current_wal_lsn() END, s.restart_lsn)) || ' of the write-ahead log'),
       true
  FROM pg_replication_slots s
 WHERE NOT s.temporary AND s.slot_name NOT IN (${list([...UPGRADE_STREAMS, SLOT])})
   AND NOT (s.slot_name ~ '^pg_[0-9]+_sync_[0-9]+_[0-9]+$'
            AND EXISTS (SELECT FROM pg_replication_slots o WHERE o.slot_name IN (${upgradeStreams})))
UNION ALL
SELECT 'subscription', s.subname::text,
       concat_ws(', ', 'in database ' || d.datname, CASE WHEN s.subenabled THEN 'enabled' ELSE 'disabled' END), true
  FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
 WHERE s.subname NOT IN (${upgradeStreams})
UNION ALL
SELECT 'setting', coalesce('role ' || r.rolname || ' in database ' || d.datname, 'database ' || d.datname),
       (SELECT string_agg(split_part(v, '=', 1), ', ' ORDER BY v) FROM unnest(s.setconfig) AS v), false
  FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole
 WHERE d.datname IN ('postgres', 'template1', ${literal(database)})
UNION ALL
SELECT 'database', d.datname::text,
       concat_ws(', ', 'of ' || pg_get_userbyid(d.datdba), pg_size_pretty(pg_database_size(d.oid)), CASE WHEN NOT d.datallowconn THEN 'closed' END), false
  FROM pg_database d
 WHERE d.datname NOT IN ('postgres', 'template0', 'template1', ${literal(database)}) AND NOT (${isOwnDatabase(stack)})
 ORDER BY 1, 2`;
}

/** A condition on the row `d` of pg_database: it serves tests, is restored into, or is kept from before a restore of a dump. */
function isOwnDatabase(stack: string): Sql {
  return [
    ...OF_TESTS.map(([prefix, mark]) => `(${isOurs(prefix, mark)})`),
    isTemplate(""),
    bearsMark(restoreMark(stack)),
    `(d.datname ~ '_before_[0-9]{8}-[0-9]{6}_[0-9a-z]{4}(_[0-9]+)?$' AND NOT d.datallowconn)`,
  ].join(" OR ");
}

/** What is in the stack's own database: rows of `Foreign`. */
export function databaseSql(roles: OwnThings["roles"]): Sql {
  const mine = `(${list([roles.administrator, SUPERUSER])})`;
  return `WITH members AS MATERIALIZED (
  SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), owned AS (
  SELECT CASE WHEN c.relkind = 'S' THEN 'sequence' WHEN c.relkind IN ('v', 'm') THEN 'view' ELSE 'table' END AS what,
         format('%I.%I', n.nspname, c.relname) AS name, c.relowner AS owner
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', ${literal(TECHNICAL_SCHEMA)})
     AND c.oid NOT IN (SELECT objid FROM members WHERE classid = 'pg_class'::regclass)
  UNION ALL
  SELECT 'routine', p.oid::regprocedure::text, p.proowner
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
   WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', ${literal(TECHNICAL_SCHEMA)})
     AND p.oid NOT IN (SELECT objid FROM members WHERE classid = 'pg_proc'::regclass)
  UNION ALL
  SELECT 'schema', quote_ident(n.nspname), n.nspowner
    FROM pg_namespace n
   WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('public', 'information_schema', ${literal(TECHNICAL_SCHEMA)})
     AND n.oid NOT IN (SELECT objid FROM members WHERE classid = 'pg_namespace'::regclass)
), strange AS (
  SELECT what, pg_get_userbyid(owner) AS owner, count(*) AS number,
         (array_agg(name ORDER BY name))[1:${MOST_NAMES}] AS names
    FROM owned
   WHERE pg_get_userbyid(owner) <> ${literal(roles.administrator)}
   GROUP BY what, owner
)
SELECT 'owner' AS kind, owner::text AS name,
       format('owns %s %s%s: %s%s', number, what, CASE WHEN number = 1 THEN '' ELSE 's' END, array_to_string(names, ', '),
              CASE WHEN number > ${MOST_NAMES} THEN format(' and %s more', number - ${MOST_NAMES}) ELSE '' END) AS detail,
       false AS alarming
  FROM strange
UNION ALL
SELECT 'event trigger', evtname::text, format('on %s, runs %s', evtevent, evtfoid::regproc), true
  FROM pg_event_trigger WHERE oid NOT IN (SELECT objid FROM members WHERE classid = 'pg_event_trigger'::regclass)
UNION ALL
SELECT 'publication', pubname::text,
       concat_ws(', ', 'of ' || pg_get_userbyid(pubowner),
         CASE WHEN puballtables THEN 'all tables'
              ELSE format('%s tables', (SELECT count(*) FROM pg_publication_tables t WHERE t.pubname = p.pubname)) END), false
  FROM pg_publication p WHERE pubname NOT IN (${list(UPGRADE_STREAMS)})
UNION ALL
SELECT 'foreign server', s.srvname::text,
       format('by %s, %s user mappings', w.fdwname, (SELECT count(*) FROM pg_user_mapping u WHERE u.umserver = s.oid)), true
  FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
UNION ALL
SELECT 'large objects', pg_get_userbyid(lomowner)::text, format('owns %s', count(*)), lomowner NOT IN (SELECT oid FROM pg_roles WHERE rolname IN ${mine})
  FROM pg_largeobject_metadata GROUP BY lomowner
 ORDER BY 1, 2, 3`;
}
