-- The five findings of the synthesis as computed booleans, with their number and this project's threshold.
-- Thresholds are compared as whole numbers: n / base >= 2 / 3 is 3 n >= 2 base.
WITH compte AS (
    SELECT
        count(*) AS base,
        count(*) FILTER (WHERE contient(thematiques, 'generaliste')) AS generaliste,
        count(*) FILTER (WHERE contient(dimensions, 'modele_economique')) AS modele_economique,
        count(*) FILTER (WHERE contient(dimensions, 'strategie_projet')) AS strategie_projet,
        count(*) FILTER (WHERE contient(dimensions, 'gouvernance')) AS gouvernance,
        count(*) FILTER (WHERE contient(dimensions, 'ingenierie_animation')) AS ingenierie_animation,
        count(*) FILTER (WHERE contient(identification, 'pairs')) AS pairs,
        count(*) FILTER (WHERE nombre(stades) = 3) AS trois_stades,
        count(*) FILTER (WHERE filiere_essentielle IN ('4', '5')) AS filiere
    FROM reponses
),

lignes AS (
    SELECT
        1 AS rang,
        'accompagnement_generaliste' AS constat,
        'generaliste' AS element,
        'L’accompagnement est très largement généraliste' AS libelle,
        generaliste AS n,
        base,
        2 AS seuil_num,
        3 AS seuil_den,
        '>=' AS comparaison
    FROM compte
    UNION ALL
    SELECT 2, 'quatre_dimensions', 'modele_economique', 'Le modèle économique et le financement sont une dimension principale', modele_economique, base, 1, 2, '>' FROM compte
    UNION ALL
    SELECT 3, 'quatre_dimensions', 'strategie_projet', 'La stratégie de projet est une dimension principale', strategie_projet, base, 1, 2, '>' FROM compte
    UNION ALL
    SELECT 4, 'quatre_dimensions', 'gouvernance', 'La gouvernance est une dimension principale', gouvernance, base, 1, 2, '>' FROM compte
    UNION ALL
    SELECT 5, 'quatre_dimensions', 'ingenierie_animation', 'L’animation est une dimension principale', ingenierie_animation, base, 1, 2, '>' FROM compte
    UNION ALL
    SELECT 6, 'identification_par_les_pairs', 'pairs', 'Les coopérations sont très largement identifiées par les pairs', pairs, base, 2, 3, '>=' FROM compte
    UNION ALL
    SELECT 7, 'tous_les_stades', 'trois_stades', 'Une majorité intervient à tous les stades', trois_stades, base, 1, 2, '>' FROM compte
    UNION ALL
    SELECT 8, 'filiere_essentielle', 'filiere_4_ou_5', 'La prise en compte de la filière est jugée essentielle', filiere, base, 1, 2, '>' FROM compte
)

SELECT
    rang,
    constat,
    element,
    libelle,
    n,
    base,
    part(n, base) AS part,
    part(seuil_num, seuil_den) AS seuil,
    comparaison,
    CASE comparaison
        WHEN '>=' THEN n * seuil_den >= base * seuil_num
        ELSE n * seuil_den > base * seuil_num
    END AS verifie
FROM lignes
