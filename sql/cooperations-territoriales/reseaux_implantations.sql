-- The places of all networks on one map.
SELECT
    'fabrique_a_initiatives' AS reseau,
    id,
    nom,
    code_insee,
    commune,
    code_postal,
    code_departement,
    departement,
    code_region,
    region,
    longitude,
    latitude,
    lieu_methode,
    lieu_confiance,
    lieu_distance_km,
    position_origine,
    site_web,
    date_maj
FROM fabriques
UNION ALL
SELECT
    'tiers_lieu' AS reseau,
    id,
    nom,
    code_insee,
    commune,
    code_postal,
    code_departement,
    departement,
    code_region,
    region,
    longitude,
    latitude,
    lieu_methode,
    lieu_confiance,
    lieu_distance_km,
    position_origine,
    site_web,
    date_maj
FROM tiers_lieux
