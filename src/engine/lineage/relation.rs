//! Lineage of relations: bottom-up over the plan as it was written, before the optimiser moves anything. Columns are
//! followed by their index, because names repeat.

use std::collections::BTreeSet;

use datafusion::common::DFSchema;
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{Aggregate, Distinct, Expr, Join, JoinType, Limit, LogicalPlan, TableScan, Unnest};

use super::expr::Scope;
use super::{How, Origin, TableLineage};
use crate::engine::DEFAULT_SCHEMA;

/// A column of a table that is named in the SQL, and how it got here.
pub(super) type Source = (String, String, How);
pub(super) type Sources = BTreeSet<Source>;

/// Why a plan has no lineage: it holds something whose lineage nobody has thought about.
#[derive(Debug)]
pub(crate) struct Unsupported(pub(crate) String);

/// Sources of each column of a relation.
#[derive(Debug, Clone, Default)]
pub(super) struct Relation {
    pub(super) columns: Vec<Sources>,
    /// Sources of the choice of rows.
    pub(super) rows: Sources,
    /// Sources of the order of rows, which become sources of their choice under a LIMIT.
    order: Sources,
}

/// Lineage of a model's plan. `table` is the name of the model.
pub(crate) fn of_plan(table: &str, plan: &LogicalPlan) -> Result<TableLineage, Unsupported> {
    let mut walk = Walk::default();
    let relation = walk.relation(plan, None)?;
    let origins = |column: &str, sources: Sources| -> BTreeSet<Origin> {
        let origin = |(from, of, how): Source| {
            let path = vec![format!("{table}.{column}"), format!("{from}.{of}")];
            Origin { table: from, column: of, how, path }
        };
        sources.into_iter().map(origin).collect()
    };
    let names = plan.schema().fields().iter().map(|field| field.name().clone());
    let columns = names.zip(relation.columns).map(|(name, sources)| {
        let values = origins(&name, sources);
        (name, values)
    });
    Ok(TableLineage::new(table, columns.collect(), origins("*", relation.rows), walk.tables))
}

/// As sources of a choice. A choice by an aggregate tells no more than the aggregate.
pub(super) fn predicate(sources: Sources) -> Sources {
    let choice = |how: How| if matches!(how, How::Aggregated(_)) { how } else { How::Predicate };
    sources.into_iter().map(|(table, column, how)| (table, column, choice(how))).collect()
}

fn union<'a>(sets: impl IntoIterator<Item = &'a Sources>) -> Sources {
    sets.into_iter().flatten().cloned().collect()
}

/// Walks plans, and notes the tables that they read.
#[derive(Debug, Default)]
pub(super) struct Walk {
    tables: BTreeSet<String>,
}

impl Walk {
    pub(super) fn relation(&mut self, plan: &LogicalPlan, outer: Option<&Scope<'_>>) -> Result<Relation, Unsupported> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan, outer),
            LogicalPlan::EmptyRelation(empty) => {
                Ok(Relation { columns: vec![Sources::new(); empty.schema.fields().len()], ..Relation::default() })
            }
            LogicalPlan::Values(values) => {
                let scope = Scope::new(&values.schema, &[], outer);
                let mut columns = vec![Sources::new(); values.schema.fields().len()];
                for row in &values.values {
                    for (column, expr) in columns.iter_mut().zip(row) {
                        column.extend(self.sources(expr, &scope)?);
                    }
                }
                Ok(Relation { columns, ..Relation::default() })
            }
            LogicalPlan::SubqueryAlias(alias) => self.relation(&alias.input, outer),
            LogicalPlan::Repartition(repartition) => self.relation(&repartition.input, outer),
            LogicalPlan::Subquery(subquery) => self.relation(&subquery.subquery, outer),
            LogicalPlan::Projection(projection) => {
                let input = self.relation(&projection.input, outer)?;
                let columns = self.each(&projection.expr, projection.input.schema(), &input, outer)?;
                Ok(Relation { columns, ..input })
            }
            LogicalPlan::Filter(filter) => {
                let mut input = self.relation(&filter.input, outer)?;
                self.choose(&mut input, [&filter.predicate], filter.input.schema(), outer)?;
                Ok(input)
            }
            LogicalPlan::Sort(sort) => {
                let mut input = self.relation(&sort.input, outer)?;
                let by = sort.expr.iter().map(|by| &by.expr);
                let order = self.each(by, sort.input.schema(), &input, outer)?;
                input.order = predicate(union(&order));
                if sort.fetch.is_some() {
                    input.rows.append(&mut input.order);
                }
                Ok(input)
            }
            LogicalPlan::Limit(limit) => self.limit(limit, outer),
            LogicalPlan::Distinct(distinct) => self.distinct(distinct, outer),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate, outer),
            LogicalPlan::Window(window) => {
                let mut input = self.relation(&window.input, outer)?;
                let added = self.each(&window.window_expr, window.input.schema(), &input, outer)?;
                input.columns.extend(added);
                Ok(Relation { order: Sources::new(), ..input })
            }
            LogicalPlan::Join(join) => self.join(join, outer),
            LogicalPlan::Union(inputs) => {
                let mut relation =
                    Relation { columns: vec![Sources::new(); inputs.schema.fields().len()], ..Relation::default() };
                for input in &inputs.inputs {
                    let input = self.relation(input, outer)?;
                    relation.rows.extend(input.rows);
                    for (column, sources) in relation.columns.iter_mut().zip(input.columns) {
                        column.extend(sources);
                    }
                }
                Ok(relation)
            }
            LogicalPlan::Unnest(unnest) => self.unnest(unnest, outer),
            LogicalPlan::RecursiveQuery(_)
            | LogicalPlan::Statement(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Extension(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::DescribeTable(_) => {
                Err(Unsupported(plan.display().to_string().split([':', ' ']).next().unwrap_or("").to_owned()))
            }
        }
    }

    /// Sources of each of some expressions over a relation.
    fn each<'e>(
        &mut self,
        exprs: impl IntoIterator<Item = &'e Expr>,
        schema: &DFSchema,
        input: &Relation,
        outer: Option<&Scope<'_>>,
    ) -> Result<Vec<Sources>, Unsupported> {
        let scope = Scope::new(schema, &input.columns, outer);
        exprs.into_iter().map(|expr| self.sources(expr, &scope)).collect()
    }

    /// Lets expressions decide about the rows of a relation.
    fn choose<'e>(
        &mut self,
        relation: &mut Relation,
        by: impl IntoIterator<Item = &'e Expr>,
        schema: &DFSchema,
        outer: Option<&Scope<'_>>,
    ) -> Result<(), Unsupported> {
        let sources = self.each(by, schema, relation, outer)?;
        relation.rows.extend(predicate(union(&sources)));
        Ok(())
    }

    fn scan(&mut self, scan: &TableScan, outer: Option<&Scope<'_>>) -> Result<Relation, Unsupported> {
        let name = &scan.table_name;
        let table = match name.schema().filter(|schema| *schema != DEFAULT_SCHEMA) {
            Some(schema) => format!("{schema}.{}", name.table()),
            None => name.table().to_owned(),
        };
        self.tables.insert(table.clone());
        let fields = scan.projected_schema.fields().iter();
        let columns = fields.map(|field| Sources::from([(table.clone(), field.name().clone(), How::Raw)]));
        let mut relation = Relation { columns: columns.collect(), ..Relation::default() };
        self.choose(&mut relation, &scan.filters, &scan.projected_schema, outer)?;
        Ok(relation)
    }

    fn limit(&mut self, limit: &Limit, outer: Option<&Scope<'_>>) -> Result<Relation, Unsupported> {
        let mut input = self.relation(&limit.input, outer)?;
        let bounds = limit.skip.iter().chain(&limit.fetch).map(AsRef::as_ref);
        self.choose(&mut input, bounds, limit.input.schema(), outer)?;
        let order = input.order.clone();
        input.rows.extend(order);
        Ok(input)
    }

    fn distinct(&mut self, distinct: &Distinct, outer: Option<&Scope<'_>>) -> Result<Relation, Unsupported> {
        match distinct {
            Distinct::All(input) => {
                let mut relation = self.relation(input, outer)?;
                let keys = predicate(union(&relation.columns));
                relation.rows.extend(keys);
                Ok(relation)
            }
            Distinct::On(on) => {
                let mut input = self.relation(&on.input, outer)?;
                let columns = self.each(&on.select_expr, on.input.schema(), &input, outer)?;
                let sort = on.sort_expr.iter().flatten().map(|by| &by.expr);
                self.choose(&mut input, on.on_expr.iter().chain(sort), on.input.schema(), outer)?;
                Ok(Relation { columns, rows: input.rows, order: Sources::new() })
            }
        }
    }

    fn aggregate(&mut self, aggregate: &Aggregate, outer: Option<&Scope<'_>>) -> Result<Relation, Unsupported> {
        let mut input = self.relation(&aggregate.input, outer)?;
        let schema = aggregate.input.schema();
        let keys = grouping_set_to_exprlist(&aggregate.group_expr).map_err(|error| Unsupported(error.to_string()))?;
        let mut columns = self.each(keys, schema, &input, outer)?;
        let key_sources = predicate(union(&columns));
        if matches!(aggregate.group_expr.as_slice(), [Expr::GroupingSet(_)]) {
            // The column that tells the grouping sets apart.
            columns.push(Sources::new());
        }
        columns.extend(self.each(&aggregate.aggr_expr, schema, &input, outer)?);
        // A group is there because its key is.
        input.rows.extend(key_sources);
        Ok(Relation { columns, rows: input.rows, order: Sources::new() })
    }

    fn join(&mut self, join: &Join, outer: Option<&Scope<'_>>) -> Result<Relation, Unsupported> {
        let left = self.relation(&join.left, outer)?;
        let right = self.relation(&join.right, outer)?;
        let mut rows = union([&left.rows, &right.rows]);
        for (left_key, right_key) in &join.on {
            rows.extend(predicate(union(&self.each([left_key], join.left.schema(), &left, outer)?)));
            rows.extend(predicate(union(&self.each([right_key], join.right.schema(), &right, outer)?)));
        }
        let both = Relation { columns: [left.columns, right.columns].concat(), rows, order: Sources::new() };
        let split = join.left.schema().fields().len();
        let mut relation = both;
        if let Some(filter) = &join.filter {
            let schema = join.left.schema().join(join.right.schema()).map_err(|e| Unsupported(e.to_string()))?;
            self.choose(&mut relation, [filter], &schema, outer)?;
        }
        match join.join_type {
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {}
            JoinType::LeftSemi | JoinType::LeftAnti => relation.columns.truncate(split),
            JoinType::RightSemi | JoinType::RightAnti => drop(relation.columns.drain(..split)),
            // The mark itself says no more than the condition does, which is in `rows`.
            JoinType::LeftMark => {
                relation.columns.truncate(split);
                relation.columns.push(relation.rows.clone());
            }
            JoinType::RightMark => {
                relation.columns.drain(..split);
                relation.columns.push(relation.rows.clone());
            }
        }
        Ok(relation)
    }

    fn unnest(&mut self, unnest: &Unnest, outer: Option<&Scope<'_>>) -> Result<Relation, Unsupported> {
        let input = self.relation(&unnest.input, outer)?;
        let at = |index: &usize| input.columns.get(*index).cloned().unwrap_or_default();
        let columns = unnest.dependency_indices.iter().map(at).collect();
        let mut rows = input.rows.clone();
        // A list makes as many rows as it has items.
        for (index, _) in &unnest.list_type_columns {
            rows.extend(predicate(at(index)));
        }
        Ok(Relation { columns, rows, order: Sources::new() })
    }
}
