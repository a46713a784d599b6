-- Options of the questions with several answers, by who answers.
WITH croisements AS (
    SELECT 'statut' AS dim, statut AS dim_code, question, modalite, n, base FROM options_par_statut
    UNION ALL
    SELECT 'taille' AS dim, taille AS dim_code, question, modalite, n, base FROM options_par_taille
    UNION ALL
    SELECT 'tranche_age' AS dim, tranche_age AS dim_code, question, modalite, n, base FROM options_par_tranche_age
)
SELECT
    dim,
    dim_code,
    question,
    modalite AS code,
    CASE WHEN n BETWEEN 1 AND 4 THEN NULL ELSE n END AS n,
    base AS base,
    CASE WHEN n BETWEEN 1 AND 4 OR base = 0 THEN NULL ELSE CAST((n * 20000 + base) / (2 * base) AS DOUBLE) / 100 END AS pct,
    n BETWEEN 1 AND 4 AS masque
FROM croisements
WHERE dim_code IS NOT NULL
