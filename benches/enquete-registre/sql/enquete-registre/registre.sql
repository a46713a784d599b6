-- The position of the registry where it has one, of the commune elsewhere.
SELECT
    siret,
    regexp_replace(denomination, ' +', ' ', 'g') AS denomination,
    regexp_replace(adresse, ' +', ' ', 'g') AS adresse,
    activite,
    effectif,
    date_creation,
    date_maj,
    actif,
    code_insee,
    commune,
    code_departement,
    code_region,
    CASE WHEN lon IS NOT NULL AND lat IS NOT NULL THEN lon ELSE commune_lon END AS lon,
    CASE WHEN lon IS NOT NULL AND lat IS NOT NULL THEN lat ELSE commune_lat END AS lat,
    CASE WHEN lon IS NOT NULL AND lat IS NOT NULL THEN 'source' ELSE 'commune' END AS geo_source
FROM registre_lu
