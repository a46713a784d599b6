//! Functions of texts.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, BooleanArray, StringArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::DataFusionError;

use super::{Argument, Function, Nulls, downcast};
use crate::contract::fold::fold;

pub(super) static NORMALISER: Function = Function {
    name: "normaliser",
    arguments: &[("texte", Argument::Text)],
    returns: || DataType::Utf8,
    nulls: Nulls::OfArguments,
    run: normaliser,
    description: "The text in lower case, without accents, with runs of blanks and punctuation as one space: texts \
                  that differ in nothing else become equal. Code lists are read in the same way.",
    example: "SELECT normaliser('  Économie-circulaire ') -- economie circulaire",
};

pub(super) static SIRET_VALIDE: Function = Function {
    name: "siret_valide",
    arguments: &[("siret", Argument::Text)],
    returns: || DataType::Boolean,
    nulls: Nulls::OfArguments,
    run: siret_valide,
    description: "Whether the text is a French establishment number: 14 digits whose Luhn sum is a multiple of 10 \
                  (for La Poste, SIREN 356000000, also: whose sum is a multiple of 5). Blanks between digits do not \
                  matter. It says nothing about whether the establishment exists.",
    example: "SELECT siret_valide('732 829 320 00074') -- true",
};

fn normaliser(arrays: &[ArrayRef]) -> Result<ArrayRef, DataFusionError> {
    let texts: &StringArray = downcast(arrays, 0)?;
    let mut folded = StringBuilder::with_capacity(texts.len(), texts.value_data().len());
    for text in texts {
        folded.append_option(text.map(fold));
    }
    Ok(Arc::new(folded.finish()))
}

fn siret_valide(arrays: &[ArrayRef]) -> Result<ArrayRef, DataFusionError> {
    let texts: &StringArray = downcast(arrays, 0)?;
    let valid: BooleanArray = texts.iter().map(|text| text.map(is_siret)).collect();
    Ok(Arc::new(valid))
}

fn is_siret(text: &str) -> bool {
    let digits: Option<Vec<u32>> = text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(10)).collect();
    let Some(digits) = digits.filter(|digits| digits.len() == 14) else { return false };
    let sum: u32 = digits.iter().sum();
    // Every second digit from the left is doubled, and counts with its digits added up.
    let luhn: u32 = digits.iter().enumerate().map(|(at, d)| if at % 2 == 0 { d / 5 + d * 2 % 10 } else { *d }).sum();
    let la_poste = digits.starts_with(&[3, 5, 6, 0, 0, 0, 0, 0, 0]);
    sum > 0 && (luhn.is_multiple_of(10) || la_poste && sum.is_multiple_of(5))
}
