SELECT statut, taille, count(*) AS n FROM reponses GROUP BY statut, taille ORDER BY statut, taille
