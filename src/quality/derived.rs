//! Checks of whole tables that follow from contracts: values that no two rows share, references that lead somewhere.
//!
//! Each is a SELECT that gives the values that fail and, as [`ROWS`], the rows that bear them. Why SQL, and no set of
//! digests: the engine groups within its memory limit and spills, so that memory does not grow with the table, and two
//! values are never taken for one.

use crate::contract::{Column, Contract, ForeignKey};
use crate::id::TableName;

/// Column with the number of rows that bear a failing value.
pub const ROWS: &str = "lignes";

/// A check of a whole table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// Stable id such as `unique:siret` or `foreign_key:reseau`.
    pub id: String,
    /// The table.
    pub table: TableName,
    /// Gives the values that fail, and [`ROWS`].
    pub sql: String,
}

/// The checks of a published table. Links to tables that are not published are left to the compiler of pipelines.
pub fn derived(contract: &Contract) -> Vec<Derived> {
    let public = |name: &String| contract.public_columns().any(|column| column.name == *name);
    let key_alone = |column: &Column| contract.primary_key == [column.name.as_str()];
    let unique = contract.public_columns().filter(|column| column.unique && !key_alone(column));
    let unique = unique.map(|column| unique_check(contract, column));
    let links = contract.foreign_keys.iter().filter(|key| key.columns.iter().all(public));
    unique.chain(links.map(|key| link_check(contract, key))).collect()
}

fn unique_check(contract: &Contract, column: &Column) -> Derived {
    let (name, table) = (quoted(&column.name), quoted(contract.name.as_str()));
    let sql = format!(
        "SELECT {name}, count(*) AS {ROWS} FROM {table} WHERE {name} IS NOT NULL GROUP BY {name} HAVING count(*) > 1"
    );
    Derived { id: format!("unique:{}", column.name), table: contract.name.clone(), sql }
}

/// A reference with an empty part leads nowhere and need not.
fn link_check(contract: &Contract, key: &ForeignKey) -> Derived {
    let list = |parts: Vec<String>, by: &str| parts.join(by);
    let here: Vec<String> = key.columns.iter().map(|name| quoted(name)).collect();
    let there = key.reference_columns.iter().zip(&here).map(|(name, alias)| format!("{} AS {alias}", quoted(name)));
    let filled = list(here.iter().map(|name| format!("{name} IS NOT NULL")).collect(), " AND ");
    let there = list(there.collect(), ", ");
    let names = list(here.clone(), ", ");
    let (table, reference) = (quoted(contract.name.as_str()), quoted(&key.reference));
    let sql = format!(
        "SELECT {names}, sum(__ici) AS {ROWS} FROM (\
           SELECT {names}, 1 AS __ici, 0 AS __la FROM {table} WHERE {filled} \
           UNION ALL SELECT {there}, 0 AS __ici, 1 AS __la FROM {reference}\
         ) AS cles GROUP BY {names} HAVING sum(__ici) > 0 AND sum(__la) = 0"
    );
    Derived { id: format!("foreign_key:{}", key.columns.join("+")), table: contract.name.clone(), sql }
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}
