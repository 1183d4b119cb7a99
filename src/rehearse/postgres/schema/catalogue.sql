-- Every object of the schema as (kind, name, part, definition), in the server's own words: names for object
-- identifiers, nothing of storage. Read with search_path = pg_catalog, so that every name comes out qualified.
WITH schemas AS (
    SELECT * FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
), relations AS (
    SELECT c.*, format('%I.%I', s.nspname, c.relname) AS name FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace
), columns AS (
    SELECT r.oid, r.name, quote_ident(a.attname) AS col, a.*, t.typcollation, t.typstorage, pg_get_expr(d.adbin, d.adrelid) AS expression
    FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE r.relkind IN ('r', 'p', 'f', 'c', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
), granted AS ( -- an access list as text; one that was never touched equals one that says the default
    SELECT 'relation' AS kind, name, COALESCE(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)) AS acl
    FROM relations WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
    UNION ALL SELECT 'column', concat_ws('.', name, col), attacl FROM columns WHERE attacl IS NOT NULL
    UNION ALL SELECT 'schema', quote_ident(nspname), COALESCE(nspacl, acldefault('n', nspowner)) FROM schemas
    UNION ALL SELECT 'function', p.oid::regprocedure::text, COALESCE(proacl, acldefault('f', proowner)) FROM pg_proc p JOIN schemas s ON s.oid = pronamespace
    UNION ALL SELECT 'type', format_type(t.oid, NULL), COALESCE(typacl, acldefault('T', typowner)) FROM pg_type t JOIN schemas s ON s.oid = typnamespace
        WHERE typtype IN ('d', 'e', 'r', 'c', 'b') AND typelem = 0 AND (typrelid = 0 OR EXISTS (SELECT FROM pg_class c WHERE c.oid = typrelid AND c.relkind = 'c'))
    UNION ALL SELECT 'language', lanname, COALESCE(lanacl, acldefault('l', lanowner)) FROM pg_language
    UNION ALL SELECT 'foreign_data_wrapper', fdwname, fdwacl FROM pg_foreign_data_wrapper
    UNION ALL SELECT 'server', srvname, srvacl FROM pg_foreign_server
    UNION ALL SELECT 'large_object', l.oid::text, COALESCE(lomacl, acldefault('L', lomowner)) FROM pg_largeobject_metadata l
    UNION ALL SELECT 'default', concat_ws(' ', defaclrole::regrole, NULLIF(defaclnamespace, 0)::regnamespace, defaclobjtype), defaclacl FROM pg_default_acl
), found AS (
    SELECT 'schema' AS kind, quote_ident(nspname) AS name, '' AS part, nspowner::regrole::text AS definition FROM schemas
    UNION ALL SELECT 'extension', quote_ident(extname), '', concat_ws(' ', extversion, extnamespace::regnamespace, extowner::regrole,
        (SELECT array_agg(c::regclass::text) FROM unnest(extconfig) c), extcondition) FROM pg_extension
    UNION ALL SELECT CASE relkind WHEN 'c' THEN 'type' WHEN 'f' THEN 'foreign_table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'view' ELSE 'table' END, r.name, 'options', concat_ws(E'\n',
        r.relkind, r.relpersistence, 'owner ' || r.relowner::regrole, 'access ' || (SELECT amname FROM pg_am WHERE oid = r.relam),
        'rls ' || r.relrowsecurity || r.relforcerowsecurity, 'identity ' || r.relreplident::text,
        'with ' || (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(r.reloptions) o),
        'toast ' || (SELECT string_agg(o, ', ' ORDER BY o) FROM pg_class t, unnest(t.reloptions) o WHERE t.oid = r.reltoastrelid),
        'tablespace ' || (SELECT spcname FROM pg_tablespace WHERE oid = r.reltablespace),
        'of ' || NULLIF(r.reloftype, 0)::regtype, 'populated ' || r.relispopulated,
        'inherits ' || (SELECT string_agg(inhparent::regclass::text, ', ' ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = r.oid),
        'by ' || pg_get_partkeydef(r.oid), pg_get_expr(r.relpartbound, r.oid),
        (SELECT concat_ws(' ', 'server', s.srvname, ftoptions) FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = ftserver WHERE ftrelid = r.oid),
        CASE WHEN r.relkind IN ('v', 'm') THEN pg_get_viewdef(r.oid) END)
    FROM relations r WHERE r.relkind IN ('r', 'p', 'f', 'c', 'v', 'm')
    UNION ALL SELECT CASE relkind WHEN 'c' THEN 'type' WHEN 'f' THEN 'foreign_table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'view' ELSE 'table' END, r.name, p.part, p.definition
    FROM relations r CROSS JOIN LATERAL (
        SELECT 'order' AS part, string_agg(col, E'\n' ORDER BY attnum) AS definition FROM columns c WHERE c.oid = r.oid
        UNION ALL SELECT x.what || '(' || col || ')', x.definition FROM columns c CROSS JOIN LATERAL (VALUES
            ('type', format_type(atttypid, atttypmod)), ('notnull', NULLIF(attnotnull, false)::text),
            ('default', CASE WHEN attgenerated = '' THEN expression END),
            ('generated', CASE WHEN attgenerated <> '' THEN attgenerated::text || ' ' || expression END),
            ('identity', NULLIF(attidentity, '')::text), ('collation', CASE WHEN attcollation <> typcollation THEN attcollation::regcollation::text END),
            ('storage', CASE WHEN attstorage <> typstorage THEN attstorage::text END), ('compression', NULLIF(attcompression, '')::text),
            ('statistics', NULLIF(attstattarget, -1)::text), ('options', attoptions::text), ('fdw_options', attfdwoptions::text),
            ('inherited', CASE WHEN attinhcount > 0 THEN concat_ws(' ', attinhcount, attislocal) END)) x(what, definition)
        WHERE c.oid = r.oid) p
    WHERE r.relkind IN ('r', 'p', 'f', 'c', 'v', 'm') AND p.definition IS NOT NULL
    UNION ALL SELECT 'sequence', r.name, '', concat_ws(' ', r.relpersistence, r.relowner::regrole, q.seqtypid::regtype, q.seqstart, q.seqincrement,
        q.seqmax, q.seqmin, q.seqcache, q.seqcycle,
        (SELECT string_agg(concat_ws(' ', d.deptype, d.refobjid::regclass, quote_ident(a.attname)), ', ' ORDER BY d.deptype, a.attname) FROM pg_depend d
         JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
         WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')))
    FROM relations r JOIN pg_sequence q ON q.seqrelid = r.oid
    UNION ALL SELECT 'index', r.name, '', concat_ws(' ', pg_get_indexdef(r.oid), 'valid', i.indisvalid, 'clustered', i.indisclustered, 'identity', i.indisreplident,
        r.reltablespace, (SELECT string_agg(concat_ws(' ', attnum, attstattarget), ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = r.oid AND attstattarget <> -1),
        (SELECT 'of ' || inhparent::regclass FROM pg_inherits WHERE inhrelid = r.oid))
    FROM relations r JOIN pg_index i ON i.indexrelid = r.oid
    UNION ALL SELECT 'constraint', concat_ws('.', NULLIF(c.conrelid, 0)::regclass::text, NULLIF(c.contypid, 0)::regtype::text, quote_ident(c.conname)), '',
        concat_ws(' ', pg_get_constraintdef(c.oid), c.convalidated, c.coninhcount, c.conislocal)
    FROM pg_constraint c JOIN schemas s ON s.oid = c.connamespace
    UNION ALL SELECT 'trigger', concat_ws('.', t.tgrelid::regclass, quote_ident(t.tgname)), '', concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
    FROM pg_trigger t JOIN relations r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
    UNION ALL SELECT 'system_trigger', concat_ws('.', t.tgrelid::regclass, c.conname, t.tgfoid::regproc), '', t.tgenabled::text
    FROM pg_trigger t JOIN relations r ON r.oid = t.tgrelid JOIN pg_constraint c ON c.oid = t.tgconstraint WHERE t.tgisinternal AND t.tgenabled <> 'O'
    UNION ALL SELECT 'rule', concat_ws('.', w.ev_class::regclass, quote_ident(w.rulename)), '', concat_ws(' ', pg_get_ruledef(w.oid), w.ev_enabled)
    FROM pg_rewrite w JOIN relations r ON r.oid = w.ev_class WHERE w.rulename <> '_RETURN'
    UNION ALL SELECT 'policy', concat_ws('.', p.polrelid::regclass, quote_ident(p.polname)), '', concat_ws(' ', p.polcmd, p.polpermissive,
        (SELECT string_agg(CASE WHEN o = 0 THEN 'public' ELSE o::regrole::text END, ',' ORDER BY o::regrole::text) FROM unnest(p.polroles) o),
        'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid)) FROM pg_policy p
    UNION ALL SELECT CASE prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END, p.oid::regprocedure::text, '',
        concat_ws(' ', proowner::regrole, CASE WHEN prokind <> 'a' THEN pg_get_functiondef(p.oid) ELSE
            (SELECT concat_ws(' ', aggkind, aggtransfn, aggfinalfn, aggcombinefn, aggserialfn, aggdeserialfn, aggtranstype::regtype, aggsortop::regoperator,
                aggtransspace, agginitval, aggmtransfn, aggminvtransfn, aggmfinalfn, aggmtranstype::regtype, aggminitval, proparallel) FROM pg_aggregate WHERE aggfnoid = p.oid) END)
    FROM pg_proc p JOIN schemas s ON s.oid = p.pronamespace
    UNION ALL SELECT 'type', format_type(t.oid, NULL), 'definition', concat_ws(' ', t.typtype, t.typowner::regrole, t.typnotnull, t.typdefault,
        CASE WHEN t.typbasetype <> 0 THEN format_type(t.typbasetype, t.typtypmod) END, NULLIF(t.typcollation, 0)::regcollation,
        CASE WHEN t.typtype = 'b' THEN concat_ws(' ', typinput, typoutput, typreceive, typsend, typlen, typalign, typstorage, typbyval, typcategory, typdelim) END,
        (SELECT concat_ws(' ', rngsubtype::regtype, NULLIF(rngcollation, 0)::regcollation, rngcanonical, rngsubdiff, rngmultitypid::regtype) FROM pg_range WHERE rngtypid = t.oid),
        (SELECT string_agg(quote_literal(e.enumlabel), ',' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid))
    FROM pg_type t JOIN schemas s ON s.oid = t.typnamespace WHERE t.typtype IN ('d', 'e', 'r') OR t.typtype = 'b' AND t.typelem = 0
    UNION ALL SELECT 'collation', format('%s.%I', collnamespace::regnamespace, collname), '', concat_ws(' ', c.collowner::regrole, collprovider, collisdeterministic, collencoding, collcollate, collctype,
        to_jsonb(c) ->> 'colliculocale', to_jsonb(c) ->> 'colllocale')
    FROM pg_collation c JOIN schemas s ON s.oid = c.collnamespace
    UNION ALL SELECT 'statistics', format('%s.%I', stxnamespace::regnamespace, stxname), '', concat_ws(' ', pg_get_statisticsobjdef(x.oid), stxowner::regrole, stxstattarget)
    FROM pg_statistic_ext x JOIN schemas s ON s.oid = x.stxnamespace
    UNION ALL SELECT 'operator', o.oid::regoperator::text, '', concat_ws(' ', oprowner::regrole, oprcode, oprcom::regoperator, oprnegate::regoperator, oprrest, oprjoin, oprcanmerge, oprcanhash)
    FROM pg_operator o JOIN schemas s ON s.oid = o.oprnamespace
    UNION ALL SELECT 'operator_class', format('%s.%I %s', opcnamespace::regnamespace, opcname, (SELECT amname FROM pg_am WHERE oid = opcmethod)), '', concat_ws(' ', opcowner::regrole, opcintype::regtype, opcdefault, NULLIF(opckeytype, 0)::regtype, (SELECT opfname FROM pg_opfamily f WHERE f.oid = opcfamily))
    FROM pg_opclass o JOIN schemas s ON s.oid = o.opcnamespace
    UNION ALL SELECT 'operator_family', format('%s.%I %s', opfnamespace::regnamespace, opfname, (SELECT amname FROM pg_am WHERE oid = opfmethod)), '', concat_ws(E'\n', opfowner::regrole,
        (SELECT string_agg(concat_ws(' ', amopstrategy, amoppurpose, amopopr::regoperator), ', ' ORDER BY amopstrategy, amopopr::regoperator::text) FROM pg_amop WHERE amopfamily = f.oid),
        (SELECT string_agg(concat_ws(' ', amprocnum, amproc::regprocedure), ', ' ORDER BY amprocnum, amproc::regprocedure::text) FROM pg_amproc WHERE amprocfamily = f.oid))
    FROM pg_opfamily f JOIN schemas s ON s.oid = f.opfnamespace
    UNION ALL SELECT 'cast', format('%s as %s', format_type(castsource, NULL), format_type(casttarget, NULL)), '', concat_ws(' ', NULLIF(castfunc, 0)::regprocedure, castcontext, castmethod) FROM pg_cast WHERE oid >= 16384
    UNION ALL SELECT 'language', quote_ident(lanname), '', concat_ws(' ', lanowner::regrole, lanpltrusted, lanplcallfoid::regproc) FROM pg_language
    UNION ALL SELECT 'text_search_configuration', format('%s.%I', cfgnamespace::regnamespace, cfgname), '', concat_ws(E'\n', cfgowner::regrole, (SELECT prsname FROM pg_ts_parser p WHERE p.oid = cfgparser),
        (SELECT string_agg(concat_ws(' ', maptokentype, mapseqno, mapdict::regdictionary), ', ' ORDER BY maptokentype, mapseqno) FROM pg_ts_config_map WHERE mapcfg = c.oid))
    FROM pg_ts_config c JOIN schemas s ON s.oid = c.cfgnamespace
    UNION ALL SELECT 'text_search_dictionary', format('%s.%I', dictnamespace::regnamespace, dictname), '', concat_ws(' ', dictowner::regrole, (SELECT tmplname FROM pg_ts_template t WHERE t.oid = dicttemplate), dictinitoption)
    FROM pg_ts_dict d JOIN schemas s ON s.oid = d.dictnamespace
    UNION ALL SELECT 'event_trigger', quote_ident(evtname), '', concat_ws(' ', evtevent, evtowner::regrole, evtfoid::regproc, evtenabled, evttags) FROM pg_event_trigger
    UNION ALL SELECT 'publication', quote_ident(pubname), '', concat_ws(E'\n', pubowner::regrole, puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot,
        (SELECT string_agg(concat_ws(' ', prrelid::regclass, prattrs, pg_get_expr(prqual, prrelid)), ', ' ORDER BY prrelid::regclass::text) FROM pg_publication_rel WHERE prpubid = p.oid),
        (SELECT string_agg(pnnspid::regnamespace::text, ', ' ORDER BY pnnspid::regnamespace::text) FROM pg_publication_namespace WHERE pnpubid = p.oid)) FROM pg_publication p
    UNION ALL SELECT 'foreign_data_wrapper', quote_ident(fdwname), '', concat_ws(' ', fdwowner::regrole, NULLIF(fdwhandler, 0)::regproc, NULLIF(fdwvalidator, 0)::regproc, fdwoptions) FROM pg_foreign_data_wrapper
    UNION ALL SELECT 'server', quote_ident(srvname), '', concat_ws(' ', srvowner::regrole, (SELECT fdwname FROM pg_foreign_data_wrapper w WHERE w.oid = srvfdw), srvtype, srvversion, srvoptions) FROM pg_foreign_server
    UNION ALL SELECT 'user_mapping', concat_ws(' ', srvname, usename), '', '' FROM pg_user_mappings
    UNION ALL SELECT 'large_object', l.oid::text, '', lomowner::regrole::text FROM pg_largeobject_metadata l
    UNION ALL SELECT 'comment', concat_ws(' ', o.type, o.identity), '', d.description
    FROM pg_description d CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) o WHERE d.objoid >= 16384 OR d.classoid = 'pg_namespace'::regclass
    UNION ALL SELECT 'security_label', concat_ws(' ', o.type, o.identity, l.provider), '', l.label
    FROM pg_seclabel l CROSS JOIN LATERAL pg_identify_object(l.classoid, l.objoid, l.objsubid) o
    UNION ALL SELECT 'privileges', kind || ' ' || name, '', (SELECT string_agg(a::text, ', ' ORDER BY a::text COLLATE "C") FROM unnest(acl) a) FROM granted
)
SELECT kind::text, name::text, part::text, COALESCE(definition, '')::text AS definition FROM found
ORDER BY kind COLLATE "C", name COLLATE "C", part COLLATE "C", definition COLLATE "C"
