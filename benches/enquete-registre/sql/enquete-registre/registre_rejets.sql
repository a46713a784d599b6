SELECT siret_brut, denomination_brute, motif FROM rejets_registre
