//! Types whose values take the same bytes whatever is in them, null as well.

use arrow::datatypes::{DataType, Field};

use super::{FIXED, NOMINAL};

/// Width of a type whose values all have the same.
pub(super) fn fixed(data_type: &DataType) -> Option<u64> {
    match data_type {
        DataType::Null | DataType::Boolean => Some(1),
        DataType::FixedSizeBinary(n) => Some(length(*n)),
        DataType::FixedSizeList(item, n) => {
            let each = fixed(item.data_type()).unwrap_or_else(|| laid_out(item.data_type()).max(NOMINAL));
            Some(length(*n).saturating_mul(each))
        }
        DataType::Struct(fields) => {
            fields.iter().try_fold(0_u64, |sum, field| Some(sum.saturating_add(fixed(field.data_type())?)))
        }
        other => other.primitive_width().map(|_| FIXED),
    }
}

/// Bytes that are reserved for each value, or each item of one, because a type in it says how many; none for all others.
pub(super) fn laid_out(data_type: &DataType) -> u64 {
    let of = |field: &Field| laid_out(field.data_type());
    match data_type {
        DataType::FixedSizeBinary(n) => length(*n),
        DataType::FixedSizeList(item, n) => length(*n).saturating_mul(of(item).max(1)),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::Map(item, _) => of(item),
        DataType::Struct(fields) => fields.iter().map(|field| of(field)).fold(0, u64::saturating_add),
        DataType::Union(fields, _) => fields.iter().map(|(_, field)| of(field)).fold(0, u64::saturating_add),
        DataType::Dictionary(_, value) => laid_out(value),
        DataType::RunEndEncoded(_, values) => of(values),
        _ => 0,
    }
}

fn length(n: i32) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_a_type_reserves_is_seen_however_deep_it_stands() {
        let wide = DataType::FixedSizeBinary(1000);
        let field = |kind: &DataType| Arc::new(Field::new("x", kind.clone(), true));
        let list = DataType::List(field(&wide));
        let mixed = DataType::Struct(vec![field(&DataType::Utf8), field(&list)].into());
        let coded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(wide.clone()));
        for (kind, expected) in [
            (&wide, 1000),
            (&list, 1000),
            (&mixed, 1000),
            (&coded, 1000),
            (&DataType::FixedSizeList(field(&mixed), 3), 3000),
            (&DataType::List(field(&DataType::Utf8)), 0),
            (&DataType::Int64, 0),
        ] {
            assert_eq!(laid_out(kind), expected, "{kind}");
        }
        assert_eq!((fixed(&list), fixed(&mixed)), (None, None));
    }
}
