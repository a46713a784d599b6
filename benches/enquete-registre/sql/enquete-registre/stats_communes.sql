-- Communes with a response or an establishment.
WITH reponses_par_commune AS (
    SELECT code_insee, count(*) AS n FROM reponses_lues WHERE code_insee IS NOT NULL GROUP BY code_insee
),
registre_par_commune AS (
    SELECT code_insee, count(*) AS n, count(*) FILTER (WHERE actif) AS n_actif FROM registre_lu GROUP BY code_insee
)
SELECT
    villes.code_insee,
    villes.nom AS commune,
    villes.code_departement,
    villes.code_region,
    CASE WHEN reponses_par_commune.n BETWEEN 1 AND 4 THEN NULL ELSE coalesce(reponses_par_commune.n, 0) END AS n_reponses,
    coalesce(registre_par_commune.n, 0) AS n_registre,
    coalesce(registre_par_commune.n_actif, 0) AS n_registre_actif,
    coalesce(reponses_par_commune.n BETWEEN 1 AND 4, false) AS masque,
    villes.lon,
    villes.lat
FROM villes
LEFT JOIN reponses_par_commune ON reponses_par_commune.code_insee = villes.code_insee
LEFT JOIN registre_par_commune ON registre_par_commune.code_insee = villes.code_insee
WHERE reponses_par_commune.n IS NOT NULL OR registre_par_commune.n IS NOT NULL
