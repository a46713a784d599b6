-- Members of the places that are published.
SELECT m.id, m.lieu, m.role, m.heures
FROM membres_saisis m
JOIN lieux l ON l.id = m.lieu
