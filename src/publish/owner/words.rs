//! Codes of reasons and rules, as the owner of a registry reads them.

use super::Visible;
use super::list::Kind;
use crate::config::pipeline::{Keep, RejectRule, TableSpec};
use crate::normalise::reject;
use crate::territory::rule;

/// Whether the explanation of a reject names no cell.
pub(super) fn is_safe(reason: &str) -> bool {
    matches!(reason, reject::WIDTH | reject::SHIFTED | reject::QUOTE | reject::DUPLICATE)
}

/// Whether a reason says that cells may stand in the wrong column.
pub(super) fn is_misaligned(reason: &str) -> bool {
    matches!(reason, reject::WIDTH | reject::SHIFTED | reject::QUOTE | reject::ENCODING | reject::UNREADABLE)
}

/// The explanation of a reject that names no cell.
pub(super) fn detail(reason: &str, detail: &str) -> String {
    // The lists of a run call a row of the source a line.
    if reason == reject::DUPLICATE { detail.replace("la ligne ", "l’enregistrement ") } else { detail.to_owned() }
}

/// Whether a rule is about the point of a row.
pub(super) fn is_of_point(code: &str) -> bool {
    matches!(
        code,
        rule::SWAPPED
            | rule::NULL_POINT
            | rule::OUT_OF_RANGE
            | rule::FAR_POINT
            | rule::WRONG_SIGN
            | rule::OFF_SHORE
            | rule::OTHER_DEPARTEMENT
            | rule::UNREADABLE_POINT
            | rule::SEXAGESIMAL
    )
}

/// A code in a few words, and in a sentence.
pub(super) fn of(kind: Kind, code: &str, table: &TableSpec, visible: &Visible) -> (String, String) {
    let owned = |(label, sentence): (&str, &str)| (label.to_owned(), sentence.to_owned());
    match kind {
        Kind::Reject | Kind::Duplicate => rejected(code, table, visible),
        Kind::Place => owned(point(code)),
        Kind::Cell => owned(cell(code)),
        Kind::Correction => owned(correction(code)),
    }
}

fn rejected(code: &str, table: &TableSpec, visible: &Visible) -> (String, String) {
    let known = match code {
        reject::KEY => {
            let keys = visible.key_names();
            let sentence = format!("Ce qui identifie la ligne ({keys}) est vide ou ne se lit pas.");
            return ("identifiant manquant".to_owned(), sentence);
        }
        reject::REQUIRED => ("donnée obligatoire manquante", "Une colonne obligatoire est vide ou ne se lit pas."),
        reject::WIDTH => (
            "nombre de cellules",
            "La ligne n’a pas autant de cellules que l’en-tête. Souvent, un texte contient le séparateur sans être entre \
             guillemets.",
        ),
        reject::SHIFTED => (
            "cellules décalées",
            "Des cellules ne conviennent pas à leur colonne, et conviennent à une colonne voisine : elles semblent décalées. \
             Souvent, un texte contient le séparateur sans être entre guillemets.",
        ),
        reject::QUOTE => (
            "guillemet ouvert",
            "Une cellule commence par un guillemet, et aucun ne la ferme devant un séparateur ou la fin de la ligne. La \
             ligne est écartée, pour que celles qui la suivent ne soient pas lues comme une partie de son texte.",
        ),
        code if code == table.duplicate_reason() => {
            let which = match table.keep {
                Keep::First => "La première est gardée.",
                Keep::Newest(_) => "La plus récente est gardée.",
                Keep::Oldest(_) => "La plus ancienne est gardée.",
            };
            let keys = visible.key_names();
            return (code.replace('_', " "), format!("Plusieurs lignes ont le même identifiant ({keys}). {which}"));
        }
        reject::BLANK => ("ligne vide", "La ligne ne contient aucune valeur."),
        reject::UNREADABLE => ("ligne illisible", "La ligne ne se lit pas : sa syntaxe n’est pas celle du format."),
        reject::ENCODING => ("texte illisible", "Des caractères de la ligne ne sont pas dans l’encodage du fichier."),
        reject::OTHER_FORM => ("autre formulaire", "La fiche appartient à un autre formulaire."),
        _ => return (code.replace('_', " "), declared(code, table)),
    };
    (known.0.to_owned(), known.1.to_owned())
}

/// A rule that the pipeline declares.
fn declared(code: &str, table: &TableSpec) -> String {
    if table.matched.as_ref().is_some_and(|matched| matched.missing.as_deref() == Some(code)) {
        return "Ce que la ligne désigne n’a pas été trouvé dans la liste à laquelle elle se rapporte.".to_owned();
    }
    let rules: Vec<String> = table.rejects.iter().filter(|rule| rule.reason == code).map(condition).collect();
    format!(
        "Choix de ce jeu de données, et non une erreur : n’y entrent pas les lignes dont {}.",
        rules.join(", ni celles dont ")
    )
}

fn condition(rule: &RejectRule) -> String {
    let column = &rule.column;
    if rule.unread.is_some() {
        return format!("la colonne « {column} » est vide ou ne se lit pas");
    }
    if let Some(pattern) = &rule.matches {
        let not = if rule.negated { "n’a pas" } else { "a" };
        return format!("la colonne « {column} » {not} la forme {pattern}");
    }
    let values = rule.values.iter().map(|value| match value.trim() {
        "" => "vide".to_owned(),
        value => format!("« {value} »"),
    });
    let is = if rule.negated { "n’est pas" } else { "est" };
    format!("la colonne « {column} » {is} {}", values.collect::<Vec<_>>().join(" ou "))
}

fn point(code: &str) -> (&'static str, &'static str) {
    match code {
        rule::SWAPPED => (
            "longitude et latitude inversées",
            "La longitude est dans la colonne de la latitude, et l’inverse. Le point a été remis à l’endroit.",
        ),
        rule::WRONG_SIGN => {
            ("signe inversé", "Le signe de la longitude ou de la latitude est faux. Le point a été remis à sa place.")
        }
        rule::NULL_POINT => ("point 0, 0", "La longitude et la latitude sont nulles : le point est dans l’océan."),
        rule::OUT_OF_RANGE => {
            ("hors limites", "Ce ne sont pas des coordonnées de ce système, ou elles ne sont pas en France.")
        }
        rule::FAR_POINT => ("loin de la commune", "Le point est à plus de 30 km de la commune indiquée."),
        rule::OFF_SHORE => ("en mer ou hors de France", "Le point est en mer, ou dans un autre pays."),
        rule::OTHER_DEPARTEMENT => {
            ("autre département", "Le point est dans un autre département que la commune indiquée.")
        }
        rule::UNREADABLE_POINT => (
            "coordonnées illisibles",
            "La longitude ou la latitude manque, ou n’est pas un nombre. Le point est celui de la commune, quand elle est \
             connue.",
        ),
        rule::SEXAGESIMAL => (
            "degrés et minutes",
            "Les coordonnées sont écrites en degrés, minutes et secondes ; elles ont été lues comme telles.",
        ),
        _ => ("lieu", "Le point a été corrigé."),
    }
}

fn cell(code: &str) -> (&'static str, &'static str) {
    match code {
        "adresse_avec_blanc" => ("adresse avec un blanc", "L’adresse web contient un blanc."),
        "adresse_illisible" => ("adresse web illisible", "Ce n’est pas une adresse web."),
        "adresse_non_http" => ("adresse non web", "L’adresse ne commence pas par http:// ou https://."),
        "booleen_illisible" => ("ni oui ni non", "La cellule ne dit ni oui ni non."),
        "code_inconnu" | "option_inconnue" | "hors_liste" => (
            "valeur hors liste",
            "La valeur n’est pas dans la liste fermée de la colonne. Elle n’est montrée que si elle ressemble à une \
                 valeur de la liste : ce peut être un nom ou une remarque.",
        ),
        "date_illisible" => ("date illisible", "La date n’existe pas, ou n’est pas écrite comme les autres."),
        "heure_manquante" => ("heure manquante", "La colonne donne une date et une heure ; l’heure manque."),
        "hors_bornes" => ("hors bornes", "Le nombre est plus petit ou plus grand que ce que la colonne admet."),
        "liste_trop_longue" => ("liste trop longue", "La liste de valeurs de la colonne est trop longue."),
        "motif" => ("forme inattendue", "Le texte n’a pas la forme de la colonne."),
        "nombre_hors_limites" => ("nombre trop grand", "Le nombre est trop grand pour être exact."),
        "nombre_illisible" => ("nombre illisible", "Ce n’est pas un nombre, ou il n’est pas écrit comme les autres."),
        "nombre_non_entier" => ("nombre non entier", "Un nombre entier est attendu."),
        "notation_scientifique" => (
            "notation scientifique",
            "Un tableur a remplacé le numéro par une notation scientifique : ses derniers chiffres sont perdus.",
        ),
        "options_exclusives" => ("réponses incompatibles", "La cellule contient des valeurs qui s’excluent."),
        "plusieurs_reponses" => {
            ("plusieurs valeurs", "La cellule contient plusieurs valeurs, la colonne en admet une.")
        }
        "siret_cle" => ("SIRET faux", "La clé de contrôle du SIRET est fausse : un chiffre est mal saisi."),
        "siret_illisible" => ("SIRET illisible", "Le SIRET ne contient pas que des chiffres."),
        "siret_longueur" => ("SIRET incomplet", "Un SIRET a 14 chiffres."),
        "texte_illisible" => ("texte illisible", "Des caractères ne sont pas dans l’encodage du fichier."),
        _ => ("valeur inattendue", "La cellule ne convient pas à sa colonne."),
    }
}

fn correction(code: &str) -> (&'static str, &'static str) {
    match code {
        "caracteres_de_controle" => ("caractères invisibles", "Des caractères invisibles ont été retirés."),
        "correspondance" => ("correspondance", "La valeur a été remplacée selon une table de correspondance relue."),
        "decimale_nulle" => ("« .0 » en trop", "Un tableur a ajouté « .0 » à un code ; il a été retiré."),
        "entites_html" => {
            ("entités HTML", "Des entités HTML (&amp;, &eacute;…) ont été remplacées par leurs caractères.")
        }
        "espaces_siret" => ("blancs dans le SIRET", "Les blancs du SIRET ont été retirés."),
        "html_en_texte" => ("HTML", "Les balises HTML ont été retirées."),
        "lecture_ambigue" => {
            ("lecture ambiguë", "La cellule se lit de deux façons ; la valeur la plus longue a été retenue.")
        }
        "option_exclusive" => (
            "réponses incompatibles",
            "Une valeur qui exclut les autres a été retirée, parce que d’autres sont cochées.",
        ),
        "schema_ajoute" => ("adresse sans https://", "Le début de l’adresse web a été ajouté."),
        "unite" => ("unité", "Le nombre a été converti dans l’unité de la colonne."),
        "zeros_de_tete" => ("zéros perdus", "Les zéros du début, perdus dans un tableur, ont été remis."),
        "donnee_personnelle" => (
            "donnée personnelle",
            "Une adresse électronique, un téléphone, un IBAN ou un numéro de sécurité sociale se trouvait dans un texte, \
             publié ou non. La cellule a été vidée ; si elle est obligatoire, cette donnée seule en a été retirée.",
        ),
        rule::INSEE_FORM => ("code INSEE", "Le code INSEE avait perdu son zéro, ou avait une lettre minuscule."),
        rule::FORMER_CODE => {
            ("ancien code INSEE", "Le code est celui d’une commune qui a fusionné ; celui d’aujourd’hui le remplace.")
        }
        rule::INSEE_REFUTED => {
            ("code INSEE contredit", "Le code INSEE contredit le reste de la ligne : le lieu a été trouvé sans lui.")
        }
        rule::INSEE_DOUBTED => (
            "code INSEE douteux",
            "Le reste de la ligne ne va pas avec le code INSEE. Le lieu reste celui du code : à vérifier.",
        ),
        rule::POSTAL_FORM => {
            ("code postal", "Le code postal avait perdu son zéro, ou était suivi d’autre chose que ses cinq chiffres.")
        }
        rule::POSTAL_UNREADABLE => (
            "code postal illisible",
            "Ce n’est pas un code postal français : il est d’un autre pays, n’a pas cinq chiffres, ou est le code INSEE de la \
             commune. Il n’est pas publié.",
        ),
        rule::CEDEX => ("CEDEX", "La mention CEDEX a été retirée du nom de la commune."),
        rule::FORMER_REGION => ("ancienne région", "La région d’avant 2016 a été remplacée par celle d’aujourd’hui."),
        _ => ("correction", "La valeur a été corrigée par une règle connue."),
    }
}

/// How a row was placed.
pub(super) fn placed(method: &str) -> &'static str {
    match method {
        "code_insee" => "par le code INSEE",
        "ancien_code" => "par un ancien code INSEE",
        "code_postal_et_nom" => "par le code postal et le nom de la commune",
        "nom_et_departement" => "par le nom de la commune et le département",
        "code_postal_seul" => "par le code postal seul",
        "departement_seul" => "au département seulement",
        "departement_par_code_postal" => "au département, par le code postal",
        "region_seule" => "à la région seulement",
        "point_seul" => "par les coordonnées seules",
        "nom_sans_departement" => "commune nommée sans rien qui dise son département",
        "homonymes" => "plusieurs communes de ce nom, sans rien qui les départage",
        "introuvable" => "commune introuvable",
        "non_renseigne" => "aucun lieu indiqué",
        _ => "autrement",
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::refuted(correction(rule::INSEE_REFUTED), "le lieu a été trouvé sans lui")]
    #[case::doubted(correction(rule::INSEE_DOUBTED), "à vérifier")]
    #[case::personal(correction("donnee_personnelle"), "publié ou non")]
    #[case::not_in_the_list(cell("hors_liste"), "liste fermée")]
    fn a_code_is_explained_to_the_owner(#[case] words: (&str, &str), #[case] part: &str) {
        assert!(words.1.contains(part), "{words:?}");
    }
}
