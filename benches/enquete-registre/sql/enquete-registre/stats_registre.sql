-- Establishments of every region and activity, those without any too.
WITH comptes AS (
    SELECT code_region, activite, count(*) AS n, count(*) FILTER (WHERE actif) AS n_actif
    FROM registre_lu
    GROUP BY code_region, activite
),
grille AS (
    SELECT regions_lues.code_region, activites.code AS activite
    FROM (SELECT DISTINCT code_region FROM villes) AS regions_lues
    CROSS JOIN (SELECT code FROM codes WHERE liste = 'activite') AS activites
)
SELECT
    grille.code_region,
    grille.activite,
    coalesce(n, 0) AS n,
    coalesce(n_actif, 0) AS n_actif,
    CASE WHEN coalesce(n, 0) > 0 THEN CAST((n_actif * 20000 + n) / (2 * n) AS DOUBLE) / 100 END AS pct_actif
FROM grille
LEFT JOIN comptes ON comptes.code_region = grille.code_region AND comptes.activite = grille.activite
