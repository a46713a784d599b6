-- Figure 3: modalities of support, share of structures.
SELECT
    rang,
    modalite,
    modalite_libelle AS libelle,
    modalite_libelle_en AS libelle_en,
    n,
    base,
    part_repondants
FROM indicateurs
WHERE question = 'modalites'
