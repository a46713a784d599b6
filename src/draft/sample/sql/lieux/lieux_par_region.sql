-- The number of places of each région, and how many of them are workshops.
SELECT
    region,
    count(*) AS lieux,
    count(*) FILTER (WHERE type_lieu = 'atelier') AS ateliers
FROM lieux
WHERE region IS NOT NULL
GROUP BY region
