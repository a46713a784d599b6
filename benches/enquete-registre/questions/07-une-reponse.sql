SELECT * FROM reponses WHERE reponse_id = 1500001
