SELECT siret, denomination, (lon - 2.35) * (lon - 2.35) + (lat - 48.85) * (lat - 48.85) AS ecart
FROM registre ORDER BY ecart, siret LIMIT 10
