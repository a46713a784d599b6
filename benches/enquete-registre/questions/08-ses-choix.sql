SELECT question, code FROM reponses_choix WHERE reponse_id = 1500001 ORDER BY question, code
