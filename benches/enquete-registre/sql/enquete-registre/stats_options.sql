-- Options of all closed questions. Numbers of 1 to 4 are withheld; shares are rounded half up to two decimals.
SELECT
    question,
    modalite AS code,
    CASE WHEN n BETWEEN 1 AND 4 THEN NULL ELSE n END AS n,
    base AS base,
    CASE WHEN n BETWEEN 1 AND 4 OR base = 0 THEN NULL ELSE CAST((n * 20000 + base) / (2 * base) AS DOUBLE) / 100 END AS pct,
    n BETWEEN 1 AND 4 AS masque
FROM options
