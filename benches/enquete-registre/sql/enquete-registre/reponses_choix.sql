-- One row a code that was chosen.
SELECT reponse_id, 'usages' AS question, unnest(usages) AS code FROM reponses_lues
UNION ALL
SELECT reponse_id, 'outils' AS question, unnest(outils) AS code FROM reponses_lues
UNION ALL
SELECT reponse_id, 'freins' AS question, unnest(freins) AS code FROM reponses_lues
UNION ALL
SELECT reponse_id, 'besoins' AS question, unnest(besoins) AS code FROM reponses_lues
UNION ALL
SELECT reponse_id, 'donnees' AS question, unnest(donnees) AS code FROM reponses_lues
UNION ALL
SELECT reponse_id, 'formats' AS question, unnest(formats) AS code FROM reponses_lues
