SELECT question, code, count(*) AS n FROM reponses_choix GROUP BY question, code ORDER BY n DESC, question, code LIMIT 10
