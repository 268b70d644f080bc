//! Statements for plans of one shape: creates as one INSERT, and on PostgreSQL updates and deletes as one statement as well.

use provost_connector::{ConnectorError, Context, Done, ErrorCode};
use provost_model::{ObjectId, Text};

use super::db::{Trouble, Tx};
use super::ident;
use super::insert;
use super::members;
use super::plan::{Assign, Plan, Work};
use super::select;
use super::statement::{Dialect, Param, Sql};
use super::table::{Column, Compares, Kind, Table};
use super::value;

/// Why a batch of plans was not done. The transaction goes back to where it was before.
#[derive(Debug)]
pub(super) enum Stop {
    Trouble(Trouble, Option<Text>),
    /// This connector's own word.
    Refused(ConnectorError),
    /// Rows came back in another order than they were sent: one by one.
    Disorder,
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble, None)
    }
}

impl Stop {
    /// A trouble with what belongs to this attribute.
    pub(super) fn at(trouble: Trouble, attribute: &Text) -> Self {
        Self::Trouble(trouble, Some(attribute.clone()))
    }
}

/// What came of one plan, when the statement itself went well.
pub(super) type Outcome = Result<Done, ConnectorError>;

/// Whether the second plan can go with the first in one statement.
pub(super) fn same_shape(first: &Plan, second: &Plan, dialect: Dialect) -> bool {
    match (&first.work, &second.work) {
        (Work::Insert(a), Work::Insert(b)) => a.len() == b.len() && a.iter().zip(b).all(|((a, _), (b, _))| a == b),
        (Work::Update(a), Work::Update(b)) => {
            let plain = |plan: &Plan| plan.children.is_empty() && plan.id != first.id;
            let set = |sets: &[(usize, Assign)]| sets.iter().all(|(_, assign)| matches!(assign, Assign::Set(_)));
            dialect == Dialect::Postgres
                && first.children.is_empty()
                && plain(second)
                && !a.is_empty()
                && set(a)
                && set(b)
                && a.len() == b.len()
                && a.iter().zip(b).all(|((a, _), (b, _))| a == b)
        }
        (Work::Delete, Work::Delete) => dialect == Dialect::Postgres && first.id != second.id,
        _ => false,
    }
}

/// Does plans of one shape.
pub(super) async fn run(cx: &Context, tx: &mut Tx, table: &Table, plans: &[&Plan]) -> Result<Vec<Outcome>, Stop> {
    match plans.first().map(|plan| &plan.work) {
        Some(Work::Insert(_)) => create(cx, tx, table, plans).await,
        Some(Work::Update(_)) if plans.len() > 1 => update_all(cx, tx, table, plans).await,
        Some(Work::Delete) if plans.len() > 1 => delete_all(cx, tx, table, plans).await,
        _ => {
            let mut outcomes = Vec::with_capacity(plans.len());
            for plan in plans {
                outcomes.push(one(cx, tx, table, plan).await?);
            }
            Ok(outcomes)
        }
    }
}

fn done(id: ObjectId) -> Outcome {
    Ok(Done { target_id: id, requests: 1, ..Done::default() })
}

async fn create(cx: &Context, tx: &mut Tx, table: &Table, plans: &[&Plan]) -> Result<Vec<Outcome>, Stop> {
    let rows: Vec<&[(usize, Param)]> = plans
        .iter()
        .filter_map(|plan| match &plan.work {
            Work::Insert(row) => Some(row.as_slice()),
            _ => None,
        })
        .collect();
    let ids = insert::rows(cx, tx, table, &rows).await?;
    for (at, child) in table.children.iter().enumerate() {
        let mut rows = Vec::new();
        for (plan, id) in plans.iter().zip(&ids) {
            let Some(key) = ident::params(id, table) else { continue };
            for change in plan.children.iter().filter(|change| change.child == at) {
                rows.extend(
                    change
                        .values
                        .iter()
                        .map(|(_, param)| key.iter().cloned().chain([param.clone()]).collect::<Vec<Param>>()),
                );
            }
        }
        members::add(cx, tx, child, &rows).await?;
    }
    Ok(ids.into_iter().map(done).collect())
}

async fn one(cx: &Context, tx: &mut Tx, table: &Table, plan: &Plan) -> Result<Outcome, Stop> {
    let Some(id) = plan.id.clone() else {
        return Err(Stop::Refused(ConnectorError::new(ErrorCode::Internal, "the operation names no row")));
    };
    let touched = match &plan.work {
        Work::Update(sets) if !sets.is_empty() => tx.run(cx, update(table, sets, &plan.key)).await?,
        Work::Delete => {
            members::clear(cx, tx, table, std::slice::from_ref(&plan.key)).await?;
            let mut sql = tx.sql("delete from ");
            from(&mut sql, table).push(" where ");
            ident::condition(&mut sql, &table.key_columns().collect::<Vec<_>>(), plan.key.clone(), false);
            tx.run(cx, sql).await?
        }
        _ => {
            let selection = select::Selection::of(table, Some(&[]));
            let mut sql = tx.sql("");
            selection.write(&mut sql, table);
            sql.push(" and ");
            ident::condition(&mut sql, &table.key_columns().collect::<Vec<_>>(), plan.key.clone(), true);
            tx.rows(cx, sql).await?.len() as u64
        }
    };
    match touched {
        0 => return Ok(Err(ident::unknown(&id, table))),
        1 => {}
        many => {
            let message = format!("{}: the key `{id}` stands for {many} rows", table.label());
            return Err(Stop::Refused(
                ConnectorError::new(ErrorCode::Constraint, message).hint("`key` has to name unique columns"),
            ));
        }
    }
    for change in &plan.children {
        members::change(cx, tx, table, &plan.key, change).await?;
    }
    Ok(done(id))
}

fn from<'s>(sql: &'s mut Sql, table: &Table) -> &'s mut Sql {
    match table.table() {
        Some(name) => sql.table(name),
        None => sql,
    }
}

fn update(table: &Table, sets: &[(usize, Assign)], key: &[Param]) -> Sql {
    let mut sql = Sql::new(table.dialect, "update ");
    from(&mut sql, table).push(" as t set ");
    for (place, (at, assign)) in sets.iter().enumerate() {
        let column = &table.columns[*at];
        sql.next(place).name(&column.name).push(" = ");
        match assign {
            Assign::Set(param) => value::place(&mut sql, param.clone(), column),
            Assign::Unless(param) => {
                sql.push("case when ");
                ident::equals(&mut sql, column, param.clone(), true);
                sql.push(" then null else t.").name(&column.name).push(" end");
            }
            Assign::Now => now(&mut sql, column),
        }
    }
    sql.push(" where ");
    select::live(&mut sql, table);
    sql.push(" and ");
    ident::condition(&mut sql, &table.key_columns().collect::<Vec<_>>(), key.to_vec(), true);
    sql
}

/// The database's time in UTC, as the column holds times.
fn now(sql: &mut Sql, column: &Column) {
    match (sql.dialect, column.kind) {
        (Dialect::Postgres, _) => sql.push("current_timestamp"),
        (Dialect::MySql, _) => sql.push("utc_timestamp(6)"),
        (Dialect::Sqlite, Kind::Integer) => sql.push("unixepoch()"),
        (Dialect::Sqlite, _) => sql.push("strftime('%Y-%m-%dT%H:%M:%SZ', 'now')"),
    };
}

/// `unnest(…) with ordinality as v(c0, …, k0, …, n) where` the row is an object and the key is its own.
fn sets(sql: &mut Sql, table: &Table, columns: &[usize], plans: &[&Plan]) {
    sql.push("unnest(");
    for (place, at) in columns.iter().enumerate() {
        let texts = plans.iter().map(|plan| match &plan.work {
            Work::Update(sets) => match sets.get(place) {
                Some((_, Assign::Set(param))) => value::as_text(param, &table.columns[*at]),
                _ => None,
            },
            _ => None,
        });
        sql.next(place).bind(Param::Texts(texts.collect()));
    }
    for (place, column) in table.key_columns().enumerate() {
        let texts = plans.iter().map(|plan| value::as_text(&plan.key[place], column));
        sql.next(columns.len() + place).bind(Param::Texts(texts.collect()));
    }
    sql.push(") with ordinality as v(");
    for place in 0..columns.len() {
        sql.push("c").number(place).push(", ");
    }
    for place in 0..table.key.len() {
        sql.push("k").number(place).push(", ");
    }
    sql.push("n) where ");
    select::live(sql, table);
    for (place, column) in table.key_columns().enumerate() {
        sql.push(" and t.").name(&column.name).push(" = ").of_set("k", place, column.cast.as_ref());
        if column.kind == Kind::Text && column.compares != Compares::Exactly {
            sql.push(" and cast(t.").name(&column.name).push(" as text) collate \"C\" = v.k").number(place);
        }
    }
}

/// Which plans found their row.
async fn found(cx: &Context, tx: &mut Tx, table: &Table, plans: &[&Plan], sql: Sql) -> Result<Vec<Outcome>, Stop> {
    let rows = tx.rows(cx, sql).await?;
    let mut touched = vec![0; plans.len()];
    for row in &rows {
        let place = row.number(0).map_err(Trouble::Db)?;
        if let Some(count) = usize::try_from(place - 1).ok().and_then(|at| touched.get_mut(at)) {
            *count += 1;
        }
    }
    if touched.iter().any(|count| *count > 1) {
        return Err(Stop::Disorder);
    }
    Ok(plans
        .iter()
        .zip(touched)
        .map(|(plan, count)| {
            let id = plan.id.clone().unwrap_or_default();
            if count == 0 { Err(ident::unknown(&id, table)) } else { done(id) }
        })
        .collect())
}

async fn update_all(cx: &Context, tx: &mut Tx, table: &Table, plans: &[&Plan]) -> Result<Vec<Outcome>, Stop> {
    let columns: Vec<usize> = match &plans[0].work {
        Work::Update(sets) => sets.iter().map(|(at, _)| *at).collect(),
        _ => Vec::new(),
    };
    let mut sql = tx.sql("update ");
    from(&mut sql, table).push(" as t set ");
    for (place, at) in columns.iter().enumerate() {
        let column = &table.columns[*at];
        sql.next(place).name(&column.name).push(" = ").of_set("c", place, column.cast.as_ref());
    }
    sql.push(" from ");
    sets(&mut sql, table, &columns, plans);
    sql.push(" returning cast(v.n as text)");
    found(cx, tx, table, plans, sql).await
}

async fn delete_all(cx: &Context, tx: &mut Tx, table: &Table, plans: &[&Plan]) -> Result<Vec<Outcome>, Stop> {
    let keys: Vec<Vec<Param>> = plans.iter().map(|plan| plan.key.clone()).collect();
    members::clear(cx, tx, table, &keys).await?;
    let mut sql = tx.sql("delete from ");
    from(&mut sql, table).push(" as t using ");
    sets(&mut sql, table, &[], plans);
    sql.push(" returning cast(v.n as text)");
    found(cx, tx, table, plans, sql).await
}
