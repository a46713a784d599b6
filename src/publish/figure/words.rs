//! The words that a figure adds to those it is given.

use super::Bar;
use super::Figure;
use super::Language;
use super::Shown;
use super::Unit;
use super::number;

/// Mention on made-up data.
pub(super) fn synthetic(language: Language) -> &'static str {
    match language {
        Language::Fr => "Données synthétiques\u{A0}: aucune structure réelle",
        Language::En => "Synthetic data: no real organisation",
    }
}

/// Title of a figure that was given none.
pub(super) fn no_title(language: Language) -> &'static str {
    match language {
        Language::Fr => "Figure sans titre",
        Language::En => "Untitled figure",
    }
}

/// What stands in place of the bars when there are none.
pub(super) fn no_data(language: Language) -> &'static str {
    match language {
        Language::Fr => "Aucune donnée",
        Language::En => "No data",
    }
}

/// Text at the end of a bar.
pub(super) fn value(figure: &Figure, bar: &Bar) -> String {
    match (bar.shown(), figure.language) {
        (Shown::Value(value), language) => number::spoken(value, figure.unit, language),
        (Shown::Secret, _) => secret(figure),
        (Shown::Missing, Language::Fr) => "n.\u{A0}d.".to_owned(),
        (Shown::Missing, Language::En) => "n/a".to_owned(),
    }
}

/// The withheld value; a share says that the threshold is on numbers.
fn secret(figure: &Figure) -> String {
    match figure.unit {
        Unit::Count => format!("<\u{A0}{}", figure.threshold),
        Unit::Percent => format!("n\u{A0}<\u{A0}{}", figure.threshold),
    }
}

/// Explains the hatched stub.
pub(super) fn secret_note(figure: &Figure) -> String {
    let (sign, k) = (secret(figure), figure.threshold);
    match figure.language {
        Language::Fr => {
            format!(
                "{sign}, barre hachurée\u{A0}: effectif inférieur à {k} ou masqué pour en protéger \
                 un autre (secret statistique)"
            )
        }
        Language::En => {
            format!("{sign}, hatched bar: fewer than {k}, or withheld to protect another (statistical confidentiality)")
        }
    }
}

/// Explains the sign for an absent value.
pub(super) fn missing_note(language: Language) -> &'static str {
    match language {
        Language::Fr => "n.\u{A0}d.\u{A0}: donnée non disponible",
        Language::En => "n/a: not available",
    }
}

/// The whole figure in sentences, for those who do not see it.
pub(super) fn description(figure: &Figure) -> String {
    let fr = figure.language == Language::Fr;
    let mut sentences = Vec::new();
    if figure.synthetic {
        sentences.push(synthetic(figure.language).to_owned());
    }
    sentences.extend(figure.subtitle.clone());
    if figure.bars.is_empty() {
        sentences.push(no_data(figure.language).to_owned());
    } else {
        let count = figure.bars.len();
        let plural = if count == 1 { "" } else { "s" };
        let kind = match figure.language {
            Language::Fr => format!("Diagramme à {count} barre{plural} horizontale{plural}"),
            Language::En => format!("Bar chart with {count} horizontal bar{plural}"),
        };
        let colon = if fr { "\u{A0}: " } else { ": " };
        let values: Vec<String> =
            figure.bars.iter().map(|bar| format!("{}{colon}{}", bar.label.trim(), spoken(figure, bar))).collect();
        sentences.push(format!("{kind}{colon}{}", values.join(if fr { "\u{A0}; " } else { "; " })));
    }
    sentences.push(figure.base.clone());
    sentences.extend(figure.notes.iter().cloned());
    sentences.push(figure.source.clone());
    let mut description = String::new();
    for sentence in sentences.iter().map(|sentence| sentence.trim()).filter(|sentence| !sentence.is_empty()) {
        if !description.is_empty() {
            description.push(' ');
        }
        description.push_str(sentence);
        if !sentence.ends_with(['.', '!', '?', '…']) {
            description.push('.');
        }
    }
    description
}

fn spoken(figure: &Figure, bar: &Bar) -> String {
    match (bar.shown(), figure.language) {
        (Shown::Value(_), _) => value(figure, bar),
        (Shown::Secret, Language::Fr) => "valeur masquée (secret statistique)".to_owned(),
        (Shown::Secret, Language::En) => "withheld (statistical confidentiality)".to_owned(),
        (Shown::Missing, Language::Fr) => "donnée non disponible".to_owned(),
        (Shown::Missing, Language::En) => "not available".to_owned(),
    }
}
