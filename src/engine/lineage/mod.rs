//! Where the columns of a model come from.
//!
//! [`Engine::plan`](crate::engine::Engine::plan) gives the lineage of one file, down to the tables that it names;
//! [`compose`] carries it on through the models among those, down to the tables that have no model.
//!
//! The rules are strict on purpose: what could carry information counts, also where it does not show.

mod expr;
mod relation;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use relation::of_plan;

/// In which way a column derives from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// Its values, or something computed from single values: expressions, group keys, `min`, `max`, `first_value`,
    /// `array_agg`, `string_agg`, `median`, windows other than the next case.
    Raw,
    /// Only through `count`, `sum` or `avg` (named here), as an aggregate or over a whole window partition.
    ///
    /// Conditions *inside* such an aggregate are aggregated with it: in `count(*) FILTER (WHERE a = 'x')` and
    /// `sum(CASE WHEN a = 'x' THEN 1 END)` the result carries no more of `a` than the number it is.
    Aggregated(String),
    /// By deciding which rows there are or which value is taken: WHERE, HAVING, join conditions, conditions of CASE,
    /// ORDER BY with LIMIT, DISTINCT ON, partitions and order of windows, IN and EXISTS. Keys of GROUP BY and DISTINCT
    /// are also this, for every column beside them. A condition on an aggregate, as HAVING mostly is, is
    /// [`How::Aggregated`]: it tells no more than the aggregate itself.
    Predicate,
}

/// One column that another derives from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// Table as it is named in SQL.
    pub table: String,
    /// Its column.
    pub column: String,
    /// In which way.
    pub how: How,
    /// The way from the derived column to this one, both included: `structures.courriel`, `reponses.contact_courriel`.
    pub path: Vec<String>,
}

/// A column and all that it derives from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// The column.
    pub name: String,
    /// All origins: of its values, and of the choice of its rows. Of several ways with one end and one manner the
    /// shortest is kept.
    pub origins: BTreeSet<Origin>,
    /// Origins of the values alone.
    values: BTreeSet<Origin>,
}

/// Where the columns and the rows of a table come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableLineage {
    /// The table itself.
    pub table: String,
    /// One entry per column, in order.
    pub columns: Vec<Lineage>,
    /// What the choice of the rows derives from; it is part of every column's origins too.
    pub rows: BTreeSet<Origin>,
    /// Tables read, also those of which no column is used, as in `SELECT count(*) FROM reponses`.
    pub tables: BTreeSet<String>,
}

impl TableLineage {
    /// From the origins of each column's values, and of the choice of rows, whose ways start at `<table>.*`.
    pub fn new(
        table: &str,
        columns: Vec<(String, BTreeSet<Origin>)>,
        rows: BTreeSet<Origin>,
        tables: BTreeSet<String>,
    ) -> Self {
        let rows = shortest(rows);
        let column = |(name, values): (String, BTreeSet<Origin>)| {
            let origins = shortest(values.iter().cloned().chain(under(&name, &rows)).collect());
            Lineage { name, origins, values: shortest(values) }
        };
        Self { table: table.to_owned(), columns: columns.into_iter().map(column).collect(), rows, tables }
    }

    fn column(&self, name: &str) -> Option<&Lineage> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// Origins of rows as origins of a column: the way starts at the column instead of at the rows.
fn under(column: &str, rows: &BTreeSet<Origin>) -> Vec<Origin> {
    let renamed = |origin: &Origin| {
        let mut origin = origin.clone();
        if let Some(first) = origin.path.first_mut()
            && let Some(table) = first.strip_suffix(".*")
        {
            *first = format!("{table}.{column}");
        }
        origin
    };
    rows.iter().map(renamed).collect()
}

fn shortest(origins: BTreeSet<Origin>) -> BTreeSet<Origin> {
    let mut kept: BTreeMap<(String, String, How), Origin> = BTreeMap::new();
    for origin in origins {
        let key = (origin.table.clone(), origin.column.clone(), origin.how.clone());
        let longer = kept.get(&key).is_some_and(|other| other.path.len() <= origin.path.len());
        if !longer {
            kept.insert(key, origin);
        }
    }
    kept.into_values().collect()
}

/// Carries a model's lineage through the models that it reads: what is in `inputs` is replaced by its own origins, what
/// is not there is a table and stays. `inputs` must be composed already, which the order of the graph gives.
///
/// A step through `count`, `sum` or `avg`, above or beneath, makes raw origins and conditions of values
/// [`How::Aggregated`]; what decides about rows stays [`How::Predicate`] on both sides.
pub fn compose(model: &TableLineage, inputs: &BTreeMap<String, TableLineage>) -> TableLineage {
    let expand = |origins: &BTreeSet<Origin>| -> BTreeSet<Origin> {
        origins.iter().flat_map(|origin| through(origin, inputs)).collect()
    };
    let mut rows = expand(&model.rows);
    let mut tables = BTreeSet::new();
    let start = [format!("{}.*", model.table)];
    for table in &model.tables {
        match inputs.get(table) {
            Some(input) => {
                // Also when no column is used: the rows of the input decide about the rows of the model.
                rows.extend(input.rows.iter().map(|origin| after(&start, origin, origin.how.clone())));
                tables.extend(input.tables.iter().cloned());
            }
            None => {
                tables.insert(table.clone());
            }
        }
    }
    let columns = model.columns.iter().map(|column| (column.name.clone(), expand(&column.values))).collect();
    TableLineage::new(&model.table, columns, rows, tables)
}

fn through(origin: &Origin, inputs: &BTreeMap<String, TableLineage>) -> Vec<Origin> {
    let Some(input) = inputs.get(&origin.table) else { return vec![origin.clone()] };
    let Some(column) = input.column(&origin.column) else { return vec![origin.clone()] };
    let before = origin.path.split_last().map_or(&[][..], |(_, before)| before);
    let how = |beneath: &Origin| match (&origin.how, &beneath.how) {
        (_, aggregated @ How::Aggregated(_)) => aggregated.clone(),
        (How::Raw, beneath) => beneath.clone(),
        (above, _) => above.clone(),
    };
    let rows = under(&origin.column, &input.rows);
    let values = column.values.iter().map(|beneath| after(before, beneath, how(beneath)));
    values.chain(rows.iter().map(|beneath| after(before, beneath, beneath.how.clone()))).collect()
}

fn after(before: &[String], beneath: &Origin, how: How) -> Origin {
    let path = before.iter().chain(&beneath.path).cloned().collect();
    Origin { how, path, ..beneath.clone() }
}

#[cfg(test)]
mod tests;
