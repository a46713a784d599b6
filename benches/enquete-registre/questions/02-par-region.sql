SELECT code_region, count(*) AS n, avg(note) AS moyenne FROM reponses GROUP BY code_region ORDER BY code_region
