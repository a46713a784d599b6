//! Functions of lists and coded sets.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, ListArray, ListBuilder, StringArray, StringBuilder};
use arrow::array::{AsArray as _, UInt64Array};
use arrow::datatypes::{DataType, Field};
use datafusion::common::{DataFusionError, exec_err};
use rustc_hash::FxHashMap;

use super::{Argument, Function, Nulls, downcast};

pub(super) static CONTIENT: Function = Function {
    name: "contient",
    arguments: &[("liste", Argument::Texts), ("code", Argument::Text)],
    returns: || DataType::Boolean,
    nulls: Nulls::OfArguments,
    run: contient,
    description: "Whether a list of texts, such as the answer to a multiple-choice question, holds a code. The code \
                  must be spelled exactly. Null when there is no list: nothing was answered.",
    example: "SELECT count(*) FILTER (WHERE contient(types, 'mutualisation')) FROM reponses",
};

pub(super) static NOMBRE: Function = Function {
    name: "nombre",
    arguments: &[("liste", Argument::List)],
    returns: || DataType::Int64,
    nulls: Nulls::Never,
    run: nombre,
    description: "Number of items of a list; 0 when there is no list.",
    example: "SELECT nombre(types) FROM reponses",
};

pub(super) static CODES: Function = Function {
    name: "essaim_codes",
    arguments: &[("ensemble", Argument::Set), ("codes", Argument::Text)],
    returns: texts,
    nulls: Nulls::OfArguments,
    run: codes,
    description: "The codes of a coded set, in the order of their list. Bit i of the set is the i-th of the codes, \
                  which are joined by `|`. Tables show their coded sets through it; models need it rarely.",
    example: "SELECT essaim_codes(5, 'a|b|c') -- [a, c]",
};

pub(super) static JOINED: Function = Function {
    name: "essaim_codes_join",
    arguments: &[("ensemble", Argument::Set), ("codes", Argument::Text), ("separateur", Argument::Text)],
    returns: || DataType::Utf8,
    nulls: Nulls::OfArguments,
    run: joined,
    description: "The codes of a coded set as one text, with a separator between them: what `array_to_string` makes of \
                  `essaim_codes`, made once for each set. Models write the former and get the latter.",
    example: "SELECT essaim_codes_join(5, 'a|b|c', ';') -- a;c",
};

/// Type of a list of texts.
pub(super) fn texts() -> DataType {
    DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)))
}

fn contient(arrays: &[ArrayRef]) -> Result<ArrayRef, DataFusionError> {
    let lists: &ListArray = downcast(arrays, 0)?;
    let codes: &StringArray = downcast(arrays, 1)?;
    let items: &StringArray = lists.values().as_string();
    let offsets = lists.value_offsets();
    let holds = |row: usize| -> Option<bool> {
        if lists.is_null(row) || codes.is_null(row) {
            return None;
        }
        let code = codes.value(row);
        let (start, end) = (to_index(offsets[row]), to_index(offsets[row + 1]));
        Some((start..end).any(|at| items.is_valid(at) && items.value(at) == code))
    };
    Ok(Arc::new((0..lists.len()).map(holds).collect::<BooleanArray>()))
}

fn nombre(arrays: &[ArrayRef]) -> Result<ArrayRef, DataFusionError> {
    let lists: &ListArray = downcast(arrays, 0)?;
    let number = |row: usize| if lists.is_null(row) { 0 } else { i64::from(lists.value_length(row)) };
    Ok(Arc::new(Int64Array::from_iter_values((0..lists.len()).map(number))))
}

fn codes(arrays: &[ArrayRef]) -> Result<ArrayRef, DataFusionError> {
    let sets: &UInt64Array = downcast(arrays, 0)?;
    let lists: &StringArray = downcast(arrays, 1)?;
    let mut out = ListBuilder::new(StringBuilder::new());
    let mut known: (&str, Vec<&str>) = ("", Vec::new());
    for (set, list) in sets.iter().zip(lists) {
        let (Some(set), Some(list)) = (set, list) else {
            out.append_null();
            continue;
        };
        if known.0 != list {
            known = (list, list.split('|').collect());
        }
        for code in codes_in(set, &known.1)? {
            out.values().append_value(code);
        }
        out.append(true);
    }
    Ok(Arc::new(out.finish()))
}

fn joined(arrays: &[ArrayRef]) -> Result<ArrayRef, DataFusionError> {
    let sets: &UInt64Array = downcast(arrays, 0)?;
    let lists: &StringArray = downcast(arrays, 1)?;
    let separators: &StringArray = downcast(arrays, 2)?;
    let mut out = StringBuilder::new();
    let mut known: (&str, &str, Vec<&str>) = ("", "", Vec::new());
    let mut texts: FxHashMap<u64, String> = FxHashMap::default();
    for ((set, list), separator) in sets.iter().zip(lists).zip(separators) {
        let (Some(set), Some(list), Some(separator)) = (set, list, separator) else {
            out.append_null();
            continue;
        };
        if (known.0, known.1) != (list, separator) {
            known = (list, separator, list.split('|').collect());
            texts.clear();
        }
        let text = match texts.entry(set) {
            Entry::Occupied(text) => text.into_mut(),
            Entry::Vacant(place) => place.insert(codes_in(set, &known.2)?.join(separator)),
        };
        out.append_value(text);
    }
    Ok(Arc::new(out.finish()))
}

/// The codes of a set, in the order of their list.
fn codes_in<'c>(set: u64, codes: &[&'c str]) -> Result<Vec<&'c str>, DataFusionError> {
    let mut found = Vec::new();
    let mut rest = set;
    while rest != 0 {
        let bit = rest.trailing_zeros() as usize;
        match codes.get(bit) {
            Some(code) => found.push(*code),
            None => return exec_err!("a coded set has bit {bit}, its list has {} codes", codes.len()),
        }
        rest &= rest - 1;
    }
    Ok(found)
}

/// Offsets of lists are never negative.
fn to_index(offset: i32) -> usize {
    usize::try_from(offset).unwrap_or(0)
}
