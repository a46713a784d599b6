-- Places of the networks per région, with its outline.
WITH lieux AS (
    SELECT
        code_region AS code,
        count(*) AS implantations,
        count(*) FILTER (WHERE reseau = 'fabrique_a_initiatives') AS fabriques_a_initiatives,
        count(*) FILTER (WHERE reseau = 'tiers_lieu') AS tiers_lieux,
        count(DISTINCT code_insee) AS communes_couvertes
    FROM reseaux_implantations
    WHERE code_region IS NOT NULL
    GROUP BY code_region
),

habitants AS (
    SELECT
        code_region AS code,
        sum(population) AS population
    FROM communes
    GROUP BY code_region
)

SELECT
    territoires.code,
    territoires.nom,
    habitants.population,
    coalesce(lieux.implantations, 0) AS implantations,
    coalesce(lieux.fabriques_a_initiatives, 0) AS fabriques_a_initiatives,
    coalesce(lieux.tiers_lieux, 0) AS tiers_lieux,
    coalesce(lieux.communes_couvertes, 0) AS communes_couvertes,
    arrondi(100000 * part(coalesce(lieux.implantations, 0), habitants.population), 2) AS pour_100000_habitants,
    territoires.geometry
FROM regions AS territoires
LEFT JOIN habitants ON territoires.code = habitants.code
LEFT JOIN lieux ON territoires.code = lieux.code
WHERE territoires.geometry IS NOT NULL
