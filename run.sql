\timing on
\o /dev/null
EXECUTE ident('t1','u1','token1','',NULL,50);
EXECUTE ident('t1','u1','token1','',NULL,50);
EXECUTE ident('t1','u1','token1','',NULL,50);
EXECUTE ident('t1','u1','token1','',NULL,50);
EXECUTE ident('t1','u1','token1','',NULL,50);
EXECUTE ident('t1','u1','token1','',NULL,50);
EXECUTE ident('t1','u1','token1','',NULL,50);
EXECUTE ident('t1','u77','token1','',NULL,50);
EXECUTE ident('t1','u77','token1','',NULL,50);
EXECUTE ident('t1','u77','token1','',ARRAY['r2','r3'],50);
EXECUTE ident('t1','u77','token1','',ARRAY['r2','r3'],50);
EXECUTE ident('t1','u1','token1','',ARRAY['r2','r3'],50);
\o
SET plan_cache_mode=force_custom_plan;
EXPLAIN (ANALYZE,BUFFERS) EXECUTE ident('t1','u1','token1','',NULL,50);
SET plan_cache_mode=force_generic_plan;
EXPLAIN (ANALYZE,BUFFERS) EXECUTE ident('t1','u1','token1','',NULL,50);
EXPLAIN (ANALYZE,BUFFERS) EXECUTE ident('t1','u77','token1','',ARRAY['r1','r2'],50);
