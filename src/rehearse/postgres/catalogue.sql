-- Every object of the schema as (kind, name, definition), by the server's own words for it: no object identifiers,
-- no storage. Read with search_path = pg_catalog, so that every name is qualified.
WITH schemas AS (
    SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
), relations AS (
    SELECT c.*, format('%I.%I', s.nspname, c.relname) AS name
    FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace
), found AS (
    SELECT 'schema' AS kind, quote_ident(nspname) AS name, nspname::text AS definition FROM schemas
    UNION ALL
    SELECT 'extension', quote_ident(extname), extversion FROM pg_extension
    UNION ALL
    SELECT 'table', r.name, concat_ws(E'\n',
        r.relkind, r.relpersistence, r.relrowsecurity, r.relforcerowsecurity, r.reloptions, pg_get_partkeydef(r.oid),
        pg_get_expr(r.relpartbound, r.oid),
        (SELECT string_agg(concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
                CASE WHEN a.attnotnull THEN 'NOT NULL' END, a.attidentity, a.attgenerated,
                CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END,
                pg_get_expr(d.adbin, d.adrelid)), E'\n' ORDER BY a.attnum)
         FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
         LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped))
    FROM relations r WHERE r.relkind IN ('r', 'p', 'f', 'c')
    UNION ALL
    SELECT 'view', r.name, concat_ws(E'\n', r.relkind, r.reloptions, pg_get_viewdef(r.oid))
    FROM relations r WHERE r.relkind IN ('v', 'm')
    UNION ALL
    SELECT 'sequence', r.name, concat_ws(' ', q.seqtypid::regtype, q.seqstart, q.seqincrement, q.seqmax, q.seqmin,
        q.seqcache, q.seqcycle,
        (SELECT concat_ws(' ', 'owned by', d.refobjid::regclass, a.attname) FROM pg_depend d
         JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
         WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
           AND d.deptype IN ('a', 'i')))
    FROM relations r JOIN pg_sequence q ON q.seqrelid = r.oid
    UNION ALL
    SELECT 'index', r.name, concat_ws(' ', pg_get_indexdef(r.oid), i.indisvalid, i.indisclustered, i.indisreplident)
    FROM relations r JOIN pg_index i ON i.indexrelid = r.oid
    UNION ALL
    SELECT 'constraint', concat_ws('.', COALESCE(NULLIF(c.conrelid, 0)::regclass::text, c.contypid::regtype::text), quote_ident(c.conname)),
        concat_ws(' ', pg_get_constraintdef(c.oid), c.convalidated)
    FROM pg_constraint c JOIN schemas s ON s.oid = c.connamespace
    UNION ALL
    SELECT 'trigger', concat_ws('.', t.tgrelid::regclass, quote_ident(t.tgname)), concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
    FROM pg_trigger t JOIN relations r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
    UNION ALL
    SELECT 'rule', concat_ws('.', w.ev_class::regclass, quote_ident(w.rulename)), pg_get_ruledef(w.oid)
    FROM pg_rewrite w JOIN relations r ON r.oid = w.ev_class WHERE w.rulename <> '_RETURN'
    UNION ALL
    SELECT 'policy', concat_ws('.', p.polrelid::regclass, quote_ident(p.polname)), concat_ws(' ', p.polcmd, p.polpermissive,
        (SELECT string_agg(CASE WHEN o = 0 THEN 'public' ELSE o::regrole::text END, ',' ORDER BY o::regrole::text) FROM unnest(p.polroles) o),
        pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
    FROM pg_policy p
    UNION ALL
    SELECT 'function', p.oid::regprocedure::text, concat_ws(' ', p.prokind,
        CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END, p.proacl)
    FROM pg_proc p JOIN schemas s ON s.oid = p.pronamespace
    UNION ALL
    SELECT 'type', format_type(t.oid, NULL), concat_ws(' ', t.typtype, t.typnotnull, t.typdefault,
        CASE WHEN t.typbasetype <> 0 THEN format_type(t.typbasetype, t.typtypmod) END,
        (SELECT string_agg(quote_literal(e.enumlabel), ',' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid))
    FROM pg_type t JOIN schemas s ON s.oid = t.typnamespace WHERE t.typtype IN ('d', 'e', 'r')
    UNION ALL
    SELECT 'comment', concat_ws(' ', o.type, o.identity), d.description
    FROM pg_description d CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) o
    WHERE o.schema IN (SELECT nspname FROM schemas) OR o.schema IS NULL AND o.type = 'schema' AND o.name <> 'public'
    UNION ALL
    SELECT 'privileges', r.name, r.relacl::text FROM relations r WHERE r.relacl IS NOT NULL AND r.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
)
SELECT kind, name, COALESCE(definition, '') FROM found
