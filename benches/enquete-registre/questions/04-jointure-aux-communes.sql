SELECT communes.code_departement, count(*) AS etablissements, sum(communes.n_reponses) AS reponses
FROM registre JOIN stats_communes AS communes ON communes.code_insee = registre.code_insee
GROUP BY communes.code_departement ORDER BY etablissements DESC, communes.code_departement LIMIT 10
