-- Figure 1: scale of action, number of structures.
SELECT
    rang,
    modalite,
    modalite_libelle AS libelle,
    modalite_libelle_en AS libelle_en,
    n,
    base,
    part_repondants
FROM indicateurs
WHERE question = 'echelle_action'
