SELECT date_trunc('month', date_soumission) AS mois, count(*) AS n FROM reponses GROUP BY mois ORDER BY mois
