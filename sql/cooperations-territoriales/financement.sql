-- How structures are funded: the mix of the whole sample.
SELECT
    rang,
    modalite AS financement,
    modalite_libelle AS libelle,
    modalite_libelle_en AS libelle_en,
    n,
    base,
    mentions,
    part_repondants,
    part_mentions
FROM indicateurs
WHERE question = 'financements'
