SELECT count(*) AS n FROM reponses WHERE age BETWEEN 25 AND 34 AND note >= 8
