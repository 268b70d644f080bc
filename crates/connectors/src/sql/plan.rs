//! From an operation to what is to be done to the tables: columns and parameters, or why it cannot be done. No I/O.

use provost_connector::{ConnectorError, ErrorCode};
use provost_model::{Action, Change, ChangeOp, ObjectId, Operation, Text, Value};

use super::ident;
use super::own::Own;
use super::statement::Param;
use super::table::{SoftValue, Table};
use super::value;

/// What an operation comes to.
#[derive(Debug)]
pub(super) struct Plan {
    /// The row's id; none for a create.
    pub id: Option<ObjectId>,
    pub key: Vec<Param>,
    pub work: Work,
    pub children: Vec<ChildChange>,
}

#[derive(Debug)]
pub(super) enum Work {
    /// Columns and their values, sorted by column.
    Insert(Vec<(usize, Param)>),
    Update(Vec<(usize, Assign)>),
    Delete,
    /// A statement of the administrator's own, with the attributes that are known to it.
    Own(Own, Vec<(Text, Value)>),
}

/// What a column is set to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Assign {
    Set(Param),
    /// Emptied where it holds this.
    Unless(Param),
    /// The time of the database.
    Now,
}

#[derive(Debug)]
pub(super) struct ChildChange {
    /// Position in [`Table::children`].
    pub child: usize,
    pub op: ChangeOp,
    /// Without doubles; each with the text that it is compared by.
    pub values: Vec<(String, Param)>,
}

pub(super) fn plan(operation: &Operation, table: &Table, own: Option<&Own>) -> Result<Plan, ConnectorError> {
    if !table.writable {
        let message = format!("{} is only read", table.label());
        return Err(ConnectorError::new(ErrorCode::NotSupported, message)
            .hint("a `query:` is written by `statements:` alone; a table unless it says `write: false`"));
    }
    let (id, key) = match (operation.action, &operation.target_id) {
        (Action::Create, _) => (None, Vec::new()),
        (_, None) => {
            return Err(ConnectorError::new(ErrorCode::Internal, "the operation names no row"));
        }
        (_, Some(id)) => {
            let key = ident::params(id, table).ok_or_else(|| ident::unknown(id, table))?;
            (Some(id.clone()), key)
        }
    };
    let flag = flag(operation.action, table, own.is_some())?;
    if let Some(own) = own {
        let mut values: Vec<(Text, Value)> = Vec::new();
        for change in &operation.changes {
            values.push((Text::from(change.path.flat_name()), after(change, table)?));
        }
        values.extend(flag.map(|(at, value)| (table.columns[at].attribute.clone(), value)));
        return Ok(Plan { id, key, work: Work::Own(own.clone(), values), children: Vec::new() });
    }
    if table.table().is_none() {
        let message = format!("class `{}` has no statement for {}", table.class, operation.action);
        return Err(ConnectorError::new(ErrorCode::NotSupported, message).hint("add it to `statements:`"));
    }
    let mut children: Vec<ChildChange> = Vec::new();
    let mut columns: Vec<(usize, Assign)> = Vec::new();
    for change in &operation.changes {
        match (table.position(&change.path), table.child(&change.path)) {
            (Some(at), _) => {
                let assign = column(change, at, operation.action, table)?;
                match columns.iter_mut().find(|(have, _)| *have == at) {
                    Some((_, have)) => *have = assign,
                    None => columns.push((at, assign)),
                }
            }
            (None, Some(at)) => children.push(child(change, at, table)?),
            (None, None) => {
                let message = format!("{} has no `{}`", table.label(), change.path);
                return Err(ConnectorError::new(ErrorCode::NotSupported, message)
                    .hint("map to an attribute that the schema shows")
                    .at(change.path.to_string()));
            }
        }
    }
    let mut put = |at: usize, assign: Assign| match columns.iter_mut().find(|(have, _)| *have == at) {
        Some((_, have)) => *have = assign,
        None => columns.push((at, assign)),
    };
    if let Some((at, value)) = flag {
        put(at, Assign::Set(bind(&value, at, table)?));
    }
    let work = match operation.action {
        Action::Create => {
            if let Some((at, Some(live))) = table.soft_delete.as_ref().map(|soft| (soft.column, soft.live.clone())) {
                put(at, Assign::Set(bind(&live, at, table)?));
            }
            let mut row: Vec<(usize, Param)> = columns
                .into_iter()
                .map(|(at, assign)| match assign {
                    Assign::Set(param) => (at, param),
                    Assign::Unless(_) | Assign::Now => (at, Param::Null),
                })
                .collect();
            row.sort_by_key(|(at, _)| *at);
            require(&row, table)?;
            Work::Insert(row)
        }
        Action::Delete => match &table.soft_delete {
            None => Work::Delete,
            Some(soft) => {
                let gone = match &soft.gone {
                    SoftValue::Now => Assign::Now,
                    SoftValue::Value(value) => Assign::Set(bind(value, soft.column, table)?),
                };
                Work::Update(vec![(soft.column, gone)])
            }
        },
        _ => {
            columns.sort_by_key(|(at, _)| *at);
            Work::Update(columns)
        }
    };
    if operation.action == Action::Delete {
        children.clear();
    }
    Ok(Plan { id, key, work, children })
}

/// The column and value that switch the row on or off.
fn flag(action: Action, table: &Table, own: bool) -> Result<Option<(usize, Value)>, ConnectorError> {
    let on = match action {
        Action::Enable => true,
        Action::Disable => false,
        _ => return Ok(None),
    };
    match &table.enabled {
        Some(enabled) => Ok(Some((enabled.column, if on { enabled.on.clone() } else { enabled.off.clone() }))),
        None if own => Ok(None),
        None => {
            let message = format!("{} has no column that switches a row off", table.label());
            Err(ConnectorError::new(ErrorCode::NotSupported, message)
                .hint("set enabled: { column: active, on: true, off: false }"))
        }
    }
}

fn bind(value: &Value, at: usize, table: &Table) -> Result<Param, ConnectorError> {
    let column = &table.columns[at];
    value::bind(value, column).map_err(|reason| unfit(&column.attribute, table, &reason))
}

fn unfit(attribute: &Text, table: &Table, reason: &str) -> ConnectorError {
    ConnectorError::new(ErrorCode::InvalidValue, format!("{}: `{attribute}` does not fit: {reason}", table.label()))
        .hint("correct the mapping, or the column")
        .at(attribute.clone())
}

fn column(change: &Change, at: usize, action: Action, table: &Table) -> Result<Assign, ConnectorError> {
    let column = &table.columns[at];
    let managed = table.soft_delete.as_ref().is_some_and(|soft| soft.column == at);
    let is_key = table.key.contains(&at) && action != Action::Create;
    if column.generated || managed || is_key {
        let reason = match () {
            () if column.generated => "the database makes its values",
            () if managed => "it tells what is deleted",
            () => "it identifies the row",
        };
        let message = format!("{}: `{}` cannot be written: {reason}", table.label(), column.attribute);
        return Err(ConnectorError::new(ErrorCode::NotSupported, message)
            .hint("take it out of the mapping, or map it on create only")
            .at(column.attribute.clone()));
    }
    if column.array && matches!(change.op, ChangeOp::Add | ChangeOp::Remove) {
        let message = format!("{}: single values of the array `{}` cannot be changed", table.label(), column.attribute);
        return Err(ConnectorError::new(ErrorCode::NotSupported, message)
            .hint("set the whole list, or keep the values in a child table")
            .at(column.attribute.clone()));
    }
    match change.op {
        ChangeOp::Unset => Ok(Assign::Set(Param::Null)),
        ChangeOp::Set | ChangeOp::Add => bind(&change.value, at, table).map(Assign::Set),
        ChangeOp::Remove if change.value.is_unassigned() => Ok(Assign::Set(Param::Null)),
        ChangeOp::Remove => bind(&change.value, at, table).map(Assign::Unless),
    }
}

fn child(change: &Change, at: usize, table: &Table) -> Result<ChildChange, ConnectorError> {
    let column = &table.children[at].value;
    let mut values: Vec<(String, Param)> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for value in change.value.elements() {
        // A member may come as a complex value with its id in `value`.
        let plain = value.as_complex().and_then(|parts| parts.find("value")).unwrap_or(value);
        let param = value::bind(plain, column).map_err(|reason| unfit(&column.attribute, table, &reason))?;
        let Some(text) = value::settle(plain, column).and_then(|value| value.to_text().map(|text| text.into_owned()))
        else {
            continue;
        };
        if seen.insert(text.clone()) {
            values.push((text, param));
        }
    }
    let op = match change.op {
        ChangeOp::Unset => ChangeOp::Set,
        // To remove without saying what is to remove all.
        ChangeOp::Remove if change.value.is_unassigned() => ChangeOp::Set,
        op => op,
    };
    Ok(ChildChange { child: at, op, values })
}

/// What an attribute holds after a change, for an own statement.
fn after(change: &Change, table: &Table) -> Result<Value, ConnectorError> {
    match change.op {
        ChangeOp::Set => Ok(change.value.clone()),
        ChangeOp::Unset => Ok(Value::Null),
        ChangeOp::Add if table.child(&change.path).is_none() => Ok(change.value.clone()),
        ChangeOp::Remove if table.child(&change.path).is_none() => Ok(Value::Null),
        _ => Err(ConnectorError::new(
            ErrorCode::NotSupported,
            format!("own statements of class `{}` cannot change `{}`", table.class, change.path),
        )
        .hint("they write single values; leave the class without `statements:` to write child tables")
        .at(change.path.to_string())),
    }
}

/// A column that must have a value and gets none: known without asking.
fn require(row: &[(usize, Param)], table: &Table) -> Result<(), ConnectorError> {
    for (at, column) in table.columns.iter().enumerate() {
        let given = row.iter().find(|(have, _)| *have == at).map(|(_, param)| param);
        let missing = match given {
            Some(Param::Null) => !column.nullable,
            Some(_) => false,
            None => !column.nullable && !column.has_default && !column.generated,
        };
        if missing {
            let name =
                if column.attribute.is_empty() { Text::from(column.name.as_str()) } else { column.attribute.clone() };
            return Err(ConnectorError::new(
                ErrorCode::MissingRequired,
                format!("{} needs a value for `{name}`", table.label()),
            )
            .hint("map a value to it, or give the column a default")
            .at(name));
        }
    }
    if row.is_empty() {
        let message = format!("{}: a row without any value cannot be made", table.label());
        return Err(ConnectorError::new(ErrorCode::MissingRequired, message).hint("map at least one attribute"));
    }
    Ok(())
}
