-- Responses that chose both a use and a brake; the base is those that answered both questions.
SELECT
    usages AS code_usages,
    modalite AS code_freins,
    CASE WHEN n BETWEEN 1 AND 4 THEN NULL ELSE n END AS n,
    ensemble AS base,
    CASE WHEN n BETWEEN 1 AND 4 OR ensemble = 0 THEN NULL ELSE CAST((n * 20000 + ensemble) / (2 * ensemble) AS DOUBLE) / 100 END AS pct,
    n BETWEEN 1 AND 4 AS masque
FROM usages_et_freins
WHERE usages IS NOT NULL
