-- The key figures of the synthesis, each with its base.
WITH compte AS (
    SELECT
        count(*) AS repondantes,
        count(*) FILTER (WHERE nombre(reseaux) > 0 AND NOT contient(reseaux, 'aucun')) AS en_reseau,
        count(*) FILTER (WHERE statut_juridique = 'association') AS associations,
        count(*) FILTER (WHERE contient(financements, 'subventions_publiques')) AS subventionnees,
        count(*) FILTER (WHERE contient(types_cooperation, 'non_modelisee')) AS non_modelisees,
        sum(nombre(types_cooperation)) AS mentions,
        count(*) FILTER (WHERE contient(besoins, 'echange_pairs')) AS echange_pairs
    FROM reponses
),

chiffres AS (
    SELECT
        1 AS rang,
        'structures_repondantes' AS indicateur,
        'Structures qui ont répondu' AS libelle,
        'Structures that answered' AS libelle_en,
        repondantes AS n,
        CAST(NULL AS BIGINT) AS base,
        'aucune : c’est un nombre' AS base_libelle
    FROM compte
    UNION ALL
    SELECT
        2,
        'en_reseau',
        'Participent à au moins un réseau',
        'Take part in at least one network',
        en_reseau,
        repondantes,
        'structures répondantes'
    FROM compte
    UNION ALL
    SELECT
        3,
        'associations',
        'Sont des associations',
        'Are associations',
        associations,
        repondantes,
        'structures répondantes'
    FROM compte
    UNION ALL
    SELECT
        4,
        'subventions_publiques',
        'Sont financées par des subventions publiques',
        'Are funded by public subsidies',
        subventionnees,
        repondantes,
        'structures répondantes'
    FROM compte
    UNION ALL
    SELECT
        5,
        'cooperations_non_modelisees',
        'Coopérations accompagnées « non modélisées » (sans modèle préexistant)',
        'Supported cooperations that follow no pre-existing model',
        non_modelisees,
        mentions,
        'mentions d’un type de coopération'
    FROM compte
    UNION ALL
    SELECT
        6,
        'besoin_echange_pairs',
        'Ont besoin de plus d’échanges entre pairs',
        'Need more exchange between peers',
        echange_pairs,
        repondantes,
        'structures répondantes'
    FROM compte
)

SELECT
    rang,
    indicateur,
    libelle,
    libelle_en,
    n,
    base,
    base_libelle,
    part(n, base) AS part,
    CAST(arrondi(100 * part(n, base), 0) AS BIGINT) AS pourcentage
FROM chiffres
