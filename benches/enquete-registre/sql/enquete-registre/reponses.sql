-- One row a response; the codes of a question joined.
SELECT
    reponse_id,
    date_soumission,
    langue,
    code_insee,
    commune,
    code_departement,
    code_region,
    age,
    tranche_age,
    genre,
    statut,
    taille,
    satisfaction,
    frequence,
    note,
    nullif(array_to_string(usages, ';'), '') AS usages,
    nullif(array_to_string(outils, ';'), '') AS outils,
    nullif(array_to_string(freins, ';'), '') AS freins,
    nullif(array_to_string(besoins, ';'), '') AS besoins,
    nullif(array_to_string(donnees, ';'), '') AS donnees,
    nullif(array_to_string(formats, ';'), '') AS formats
FROM reponses_lues
