//! `[questionnaire]`: the questions, declared once.

use std::collections::BTreeMap;

use super::pipeline::{Base, Grouping, Pipeline, Question, QuestionKind, Questionnaire, shown_name};
use crate::contract::{Column, Contract, Kind};
use crate::diagnostic::document::Fields;
use crate::diagnostic::{Problems, Spanned};

const KINDS: [(&str, QuestionKind); 6] = [
    ("single", QuestionKind::Single),
    ("multi", QuestionKind::Multi),
    ("scale", QuestionKind::Scale),
    ("number", QuestionKind::Number),
    ("text", QuestionKind::Text),
    ("place", QuestionKind::Place),
];

/// Reads the questionnaire of a pipeline.
pub(super) fn questionnaire(fields: Fields<'_>, pipeline: &mut Pipeline, problems: &Problems) -> Option<Questionnaire> {
    let mut whole = true;
    let compiled = compile(fields, pipeline, &mut whole, problems);
    if compiled.is_none() {
        pipeline.unread.tables.extend(["indicateurs", "indicateurs_groupes"].map(str::to_owned));
    }
    if compiled.is_none() || !whole {
        // Their columns follow the questions.
        pipeline.unread.tables.extend(pipeline.tables.iter().map(|table| shown_name(&table.name)));
    }
    compiled
}

fn compile(fields: Fields<'_>, pipeline: &Pipeline, whole: &mut bool, problems: &Problems) -> Option<Questionnaire> {
    let table = fields.required_text("table");
    let population = fields.integer("population");
    let questions = fields.tables("question");
    let groupings = fields.tables("grouping");
    let found = table.and_then(|table| {
        let found = pipeline.tables.iter().find(|spec| spec.name.as_str() == table.value);
        if found.is_none() && !pipeline.unread.tables.contains(&table.value) {
            problems.push(
                table
                    .problem("pipeline::unknown_table", format!("there is no table `{}`", table.value), "not declared")
                    .suggest(&table.value, pipeline.tables.iter().map(|spec| spec.name.as_str())),
            );
        }
        found
    });
    let Some(spec) = found else {
        for question in questions.into_iter().chain(groupings) {
            let _ = question.all();
        }
        fields.finish();
        return None;
    };
    let population = population.and_then(|population| match u64::try_from(population.value) {
        Ok(number) if number > 0 => Some(number),
        _ => {
            problems.push(
                population
                    .problem("pipeline::population", "a population is a positive number", "here")
                    .help("leave it out when the number of structures asked is not known"),
            );
            None
        }
    });
    let mut compiled = Questionnaire {
        table: spec.name.clone(),
        population,
        questions: Vec::new(),
        groupings: groupings.into_iter().filter_map(|fields| grouping(fields, &spec.contract, problems)).collect(),
    };
    for fields in questions {
        let Some((question, place)) = question(fields, &spec.contract, problems) else {
            *whole = false;
            continue;
        };
        if compiled.questions.iter().any(|earlier| earlier.column == question.column) {
            problems.push(
                place
                    .problem(
                        "pipeline::duplicate_name",
                        format!("question `{}` is declared twice", place.value),
                        "again",
                    )
                    .help("remove one of the two"),
            );
        } else {
            compiled.questions.push(question);
        }
    }
    fields.finish();
    Some(compiled)
}

/// Index of a column of a contract.
pub(super) fn column(name: &Spanned<String>, contract: &Contract, problems: &Problems) -> Option<usize> {
    let found = contract.columns.iter().position(|column| column.name == name.value);
    if found.is_none() {
        problems.push(
            name.problem(
                "pipeline::unknown_column",
                format!("`{}` has no column `{}`", contract.name, name.value),
                "unknown",
            )
            .suggest(&name.value, contract.columns.iter().map(|column| column.name.as_str())),
        );
    }
    found
}

fn question(fields: Fields<'_>, contract: &Contract, problems: &Problems) -> Option<(Question, Spanned<String>)> {
    let name = fields.required_text("column");
    let kind = fields.required_text("kind");
    let base = fields.text("base");
    fields.finish();
    let (name, kind) = (name?, kind?);
    let at = column(&name, contract, problems)?;
    let Some((_, known)) = KINDS.iter().find(|(word, _)| *word == kind.value) else {
        problems.push(
            kind.problem("pipeline::question_kind", format!("`{}` is not a kind of question", kind.value), "unknown")
                .suggest(&kind.value, KINDS.map(|(word, _)| word)),
        );
        return None;
    };
    if !fits(*known, &contract.columns[at]) {
        problems.push(
            kind.problem(
                "pipeline::type_mismatch",
                format!("`{}` cannot be a `{}` question", name.value, kind.value),
                format!("its contract makes it {}", describe(&contract.columns[at])),
            )
            .help("`single` and `scale` need `codes`, `multi` needs `codes` and type `list`, `number` a number"),
        );
    }
    let base = match base.as_ref().map(|base| (base, base.value.as_str())) {
        None | Some((_, "respondents")) => Base::Respondents,
        Some((_, "asked")) => Base::Asked,
        Some((_, "answered")) => Base::Answered,
        Some((base, other)) => {
            problems.push(
                base.problem("pipeline::question_base", format!("`{other}` is not a base"), "unknown")
                    .suggest(other, ["respondents", "asked", "answered"]),
            );
            Base::Respondents
        }
    };
    Some((Question { column: at, kind: *known, base }, name))
}

fn fits(kind: QuestionKind, column: &Column) -> bool {
    column.may_be(match kind {
        QuestionKind::Single | QuestionKind::Scale => &[Kind::Code],
        QuestionKind::Multi => &[Kind::Codes],
        QuestionKind::Number => &[Kind::Integer, Kind::Number],
        QuestionKind::Text | QuestionKind::Place => &[Kind::Text, Kind::Uri, Kind::Texts],
    })
}

/// What a column holds, in words.
pub(super) fn describe(column: &Column) -> &'static str {
    match column.kind {
        Kind::Code => "one code of a list",
        Kind::Codes => "several codes of a list",
        Kind::Integer | Kind::Number => "a number",
        Kind::Boolean => "a boolean",
        Kind::Date | Kind::DateTime => "a date",
        Kind::Geometry => "a shape",
        Kind::Text | Kind::Uri | Kind::Siret | Kind::Texts => "a text",
    }
}

fn grouping(fields: Fields<'_>, contract: &Contract, problems: &Problems) -> Option<Grouping> {
    let name = fields.required_text("name");
    let by = fields.required_text("column");
    let mut recode = BTreeMap::new();
    for (group, node) in fields.named("recode") {
        let items = node.items(problems).unwrap_or(&[]);
        for code in items.iter().filter_map(|item| item.text(problems)) {
            if let Some(earlier) = recode.insert(code.value.clone(), group.value.clone()) {
                problems.push(
                    code.problem(
                        "pipeline::duplicate_name",
                        format!("`{}` already falls in `{earlier}`", code.value),
                        "again",
                    )
                    .help("a value falls in one group"),
                );
            }
        }
    }
    fields.finish();
    let (name, by) = (name?, by?);
    let at = column(&by, contract, problems)?;
    if !contract.columns[at].may_be(&[Kind::Code, Kind::Codes, Kind::Text]) {
        problems.push(
            by.problem(
                "pipeline::type_mismatch",
                format!("`{}` does not group", by.value),
                describe(&contract.columns[at]),
            )
            .help("group by a closed column or a territory"),
        );
    }
    Some(Grouping { name: name.value, column: at, recode })
}
