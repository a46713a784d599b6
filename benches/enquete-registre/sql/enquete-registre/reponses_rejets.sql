SELECT reponse_id_brut, date_soumission_brute, motif FROM rejets_reponses
