SELECT usages.code AS usage, freins.code AS frein, count(*) AS n
FROM reponses_choix AS usages JOIN reponses_choix AS freins ON freins.reponse_id = usages.reponse_id
WHERE usages.question = 'usages' AND freins.question = 'freins'
GROUP BY usages.code, freins.code ORDER BY n DESC, usage, frein LIMIT 10
