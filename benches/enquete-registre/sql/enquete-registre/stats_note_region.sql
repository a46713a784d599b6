-- Grades by region; with fewer than five, none is told.
WITH notes AS (
    SELECT
        coalesce(code_region, 'ZZ') AS code_region,
        count(note) AS n,
        sum(CAST(note AS DECIMAL(18, 6))) AS somme,
        min(note) AS mini,
        max(note) AS maxi
    FROM reponses_lues
    GROUP BY coalesce(code_region, 'ZZ')
)
SELECT
    code_region,
    CASE WHEN n NOT BETWEEN 1 AND 4 THEN n END AS n,
    CASE WHEN n >= 5 THEN CAST(somme AS DOUBLE) / n END AS moyenne,
    CASE WHEN n >= 5 THEN mini END AS mini,
    CASE WHEN n >= 5 THEN maxi END AS maxi,
    n BETWEEN 1 AND 4 AS masque
FROM notes
