-- Options by region; ZZ is where the commune is not known.
SELECT
    coalesce(code_region, 'ZZ') AS code_region,
    question,
    modalite AS code,
    CASE WHEN n BETWEEN 1 AND 4 THEN NULL ELSE n END AS n,
    base AS base,
    CASE WHEN n BETWEEN 1 AND 4 OR base = 0 THEN NULL ELSE CAST((n * 20000 + base) / (2 * base) AS DOUBLE) / 100 END AS pct,
    n BETWEEN 1 AND 4 AS masque
FROM options_par_region
