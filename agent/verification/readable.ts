/**
 * SQL: whether a relation, or one of those below it, cannot be read now. Foreign tables lead to other servers. Until
 * recovery has ended, unlogged ones have no files, and what a transaction held that was open at the target waits for it.
 *
 * @param oid SQL of the relation's oid.
 */
export function unreadable(oid: string): string {
  return `EXISTS (
    WITH RECURSIVE tree AS (
      SELECT ${oid} AS relid UNION SELECT h.inhrelid FROM pg_inherits h JOIN tree ON h.inhparent = tree.relid)
    SELECT FROM tree JOIN pg_class part ON part.oid = tree.relid
     WHERE part.relkind = 'f' OR pg_is_in_recovery() AND (part.relpersistence <> 'p' OR EXISTS (
       SELECT FROM pg_locks l WHERE l.relation = part.oid AND l.granted AND l.mode = 'AccessExclusiveLock'
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))))`;
}
