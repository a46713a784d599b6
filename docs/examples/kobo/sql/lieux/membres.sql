-- Members of the places that are published.
SELECT m.lieu, m.rang, m.role, m.heures
FROM membres_saisis m
JOIN lieux l ON l.id = m.lieu
