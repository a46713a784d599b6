//! Counts as the tables `indicateurs` (whole sample) and `indicateurs_groupes`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Builder, Int64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::indicators::{Group, Survey};
use super::interval::wilson;

/// Schema of `indicateurs`; `indicateurs_groupes` has `groupement` and `groupe` before it.
pub fn indicator_schema(grouped: bool) -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let count = |name: &str| Field::new(name, DataType::Int64, true);
    let share = |name: &str| Field::new(name, DataType::Float64, true);
    let mut fields = if grouped { vec![text("groupement"), text("groupe")] } else { Vec::new() };
    fields.extend([
        text("question"),
        text("question_libelle"),
        Field::new("rang", DataType::Int64, false),
        text("modalite"),
        text("modalite_libelle"),
        text("modalite_libelle_en"),
        count("n"),
        count("base"),
        count("mentions"),
        share("part_repondants"),
        share("part_mentions"),
        share("intervalle_bas"),
        share("intervalle_haut"),
        count("non_reponses"),
    ]);
    Arc::new(Schema::new(fields))
}

#[derive(Debug, Default)]
struct Columns {
    texts: [StringBuilder; 7],
    rank: Int64Builder,
    counts: [Int64Builder; 4],
    shares: [Float64Builder; 4],
}

/// The table of the whole sample, or of the groups by grouping and value.
pub(super) fn table(survey: &Survey<'_>, grouped: bool) -> Result<RecordBatch, ArrowError> {
    let mut columns = Columns::default();
    let groups = if grouped { survey.groups() } else { vec![survey.whole()] };
    for group in &groups {
        append(&mut columns, survey, group);
    }
    let [grouping, value, question, question_label, code, label, label_en] = &mut columns.texts;
    let mut arrays: Vec<ArrayRef> = Vec::new();
    if grouped {
        arrays.extend([Arc::new(grouping.finish()) as ArrayRef, Arc::new(value.finish())]);
    }
    arrays.extend([
        Arc::new(question.finish()) as ArrayRef,
        Arc::new(question_label.finish()),
        Arc::new(columns.rank.finish()),
        Arc::new(code.finish()),
        Arc::new(label.finish()),
        Arc::new(label_en.finish()),
    ]);
    let [n, base, mentions, missing] = &mut columns.counts;
    arrays.extend([n, base, mentions].map(|counts| Arc::new(counts.finish()) as ArrayRef));
    arrays.extend(columns.shares.iter_mut().map(|shares| Arc::new(shares.finish()) as ArrayRef));
    arrays.push(Arc::new(missing.finish()));
    RecordBatch::try_new(indicator_schema(grouped), arrays)
}

#[expect(clippy::cast_precision_loss, reason = "respondents are far fewer than 2^52")]
fn share(n: u64, base: u64) -> Option<f64> {
    (base > 0).then(|| n as f64 / base as f64)
}

fn append(columns: &mut Columns, survey: &Survey<'_>, group: &Group<'_>) {
    for ((question, column), counts) in survey.questions().zip(&group.questions) {
        let (base, mentions) = (counts.base(question.base), counts.mentions());
        let codes = column.codes.iter().flat_map(|list| list.codes.iter());
        for (rank, (code, n)) in codes.zip(&counts.options).enumerate() {
            let texts = [
                group.grouping.unwrap_or(""),
                group.value,
                &column.name,
                &column.title,
                &code.code,
                &code.label,
                &code.label_en,
            ];
            for (builder, text) in columns.texts.iter_mut().zip(texts) {
                builder.append_value(text);
            }
            columns.rank.append_value(i64::try_from(rank + 1).unwrap_or(i64::MAX));
            let whole = group.grouping.is_none();
            let population = survey.population().filter(|_| whole);
            let interval = population.and_then(|population| wilson(*n, base, population));
            let numbers = [*n, base, mentions, counts.silent(question.base)];
            for (builder, number) in columns.counts.iter_mut().zip(numbers) {
                builder.append_value(i64::try_from(number).unwrap_or(i64::MAX));
            }
            let shares = [share(*n, base), share(*n, mentions), interval.map(|i| i.0), interval.map(|i| i.1)];
            for (builder, value) in columns.shares.iter_mut().zip(shares) {
                builder.append_option(value);
            }
        }
    }
}
