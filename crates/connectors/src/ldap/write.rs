//! Changes: one operation is one request wherever the server's controls allow it.
//!
//! An entry is known by its id and addressed by its name. With the assertion control (RFC 4528) a name from memory is safe:
//! the server does nothing when another entry has it by now. Without it the name is looked up each time.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use ldap3::controls::{Control, ControlType, RawControl, ReadEntryResp};
use ldap3::{Ldap, LdapResult, Mod};
use provost_connector::{Applied, ConnectorError, Context, Done, ErrorCode, Exchange};
use provost_model::{Action, Change, ObjectId, Operation};

use super::fault::{self, Effect};
use super::modification::{self, Piece, Plan};
use super::names::owner;
use super::profile::Profile;
use super::session::Inner;
use super::shape::{self, ClassShape, Identifier};
use super::wire::Said;
use super::{template, value};

/// Bytes of the first part of a name that any server takes.
const LONGEST_NAME: usize = 255;

/// Values of an attribute, as the library takes them.
pub type Values = HashSet<Vec<u8>>;

pub async fn apply(cx: &Context, inner: &Inner, operations: &[Operation]) -> Vec<Applied> {
    let mut applied = Vec::with_capacity(operations.len());
    for operation in operations {
        applied.push(match one(cx, inner, operation).await {
            Ok(done) => Applied::done(operation.id.clone(), done),
            Err(error) => Applied::failed(operation.id.clone(), error),
        });
    }
    applied
}

async fn one(cx: &Context, inner: &Inner, operation: &Operation) -> Result<Done, ConnectorError> {
    let shape = inner.class(&operation.class)?;
    let changes = switching(shape, operation)?;
    let of = |change: &Change| modification::pointed(change, shape);
    let ids: Vec<ObjectId> = changes.iter().flat_map(of).collect();
    let names = inner.names.of(cx, &inner.wire, &inner.shape, &ids).await?;
    // Whose entry is gone is still named by the groups that he was in.
    let gone = |id: &ObjectId| inner.names.known(id);
    let keys = inner.keys_of(cx, shape, &changes).await?;
    let who = modification::Pointed { names: &names, keys: &keys, gone: &gone };
    let plan = modification::plan(&changes, shape, &who)?;
    if !inner.config.is_encrypted() && plan.changes.iter().any(modification::Piece::is_windows_password) {
        let message = "`unicodePwd` is only taken over an encrypted connection";
        return Err(ConnectorError::new(ErrorCode::NotSupported, message)
            .at("unicodePwd")
            .hint("use `ldaps://` or `start_tls: true`"));
    }
    match (operation.action, &operation.target_id) {
        (Action::Create, _) => create(cx, inner, shape, plan).await,
        (_, None) => Err(ConnectorError::new(ErrorCode::InvalidValue, "the operation names no entry")),
        (Action::Delete, Some(id)) => {
            let talk = async |mut ldap: Ldap, name: String| ldap.delete(&name).await;
            let result = addressed(cx, inner, shape, id, "delete", |ldap, name| Box::pin(talk(ldap, name))).await?;
            finish(&result, "delete", id.clone())
        }
        (_, Some(id)) => update(cx, inner, shape, id, plan).await,
    }
}

/// The changes, with the one that switches the account where the operation does that.
fn switching<'o>(shape: &ClassShape, operation: &'o Operation) -> Result<Cow<'o, [Change]>, ConnectorError> {
    let on = match operation.action {
        Action::Enable => true,
        Action::Disable => false,
        _ => return Ok(Cow::Borrowed(&operation.changes)),
    };
    let Some(enablement) = shape.enablement() else {
        let message = format!("class `{}` has nothing to {} an entry by", shape.class.name, operation.action);
        return Err(ConnectorError::new(ErrorCode::NotSupported, message)
            .hint("set `enabled` of the class, or let leavers be deleted"));
    };
    if operation.changes.iter().any(|change| *change.path == enablement.path) {
        return Ok(Cow::Borrowed(&operation.changes));
    }
    let mut changes = operation.changes.clone();
    let value = if on { enablement.on } else { enablement.off };
    changes.push(Change::set(Arc::new(enablement.path), value));
    Ok(Cow::Owned(changes))
}

type Answer = std::pin::Pin<Box<dyn Future<Output = Said<LdapResult>> + Send>>;

/// Does something to the entry of an id: by the name in memory where that is safe, else, and when it was the wrong one, by the
/// name that the server gives now.
async fn addressed(
    cx: &Context,
    inner: &Inner,
    shape: &ClassShape,
    id: &ObjectId,
    what: &str,
    ask: impl Fn(Ldap, String) -> Answer + Sync,
) -> Result<LdapResult, ConnectorError> {
    let assertion = match (inner.shape.assertion, shape.id) {
        (true, Identifier::Text(_)) => value::id_filter(shape.id, id),
        _ => None,
    };
    let mut known = assertion.as_ref().and_then(|_| inner.names.known(id));
    loop {
        let is_known = known.is_some();
        let name = match known.take() {
            Some(name) => name,
            None => name_of(cx, inner, shape, id).await?,
        };
        let told = format!("{what} `{name}`");
        let control = assertion.as_deref().map(assert);
        let talk = |mut ldap: Ldap| {
            if let Some(control) = control {
                ldap.with_controls(vec![control]);
            }
            ask(ldap, name)
        };
        let result = inner.wire.converse(cx, &told, Effect::Writes, talk).await?;
        match result.rc {
            32 | 122 if is_known => inner.names.forget(id),
            _ => return Ok(result),
        }
    }
}

/// The filter is one of ours, so that it can be read.
fn assert(filter: &str) -> RawControl {
    RawControl { crit: true, ..ldap3::controls::Assertion::new(filter) }
}

/// The name of an id now.
async fn name_of(cx: &Context, inner: &Inner, shape: &ClassShape, id: &ObjectId) -> Result<String, ConnectorError> {
    inner.names.forget(id);
    let names = inner.names.of(cx, &inner.wire, &inner.shape, std::slice::from_ref(id)).await?;
    names.into_values().next().ok_or_else(|| {
        let by = shape.id.attribute().unwrap_or("its name");
        let message = format!("there is no entry of class `{}` whose {by} is `{id}`", shape.class.name);
        ConnectorError::new(ErrorCode::NotFound, message)
    })
}

/// OpenLDAP keeps a zero byte in a name; others end the name at it, and would write another entry than was asked for.
fn check_name(inner: &Inner, name: &str) -> Result<(), ConnectorError> {
    if inner.shape.profile == Profile::OpenLdap || !template::has_zero(name) {
        return Ok(());
    }
    Err(ConnectorError::new(ErrorCode::InvalidValue, "a name cannot hold a zero byte")
        .at(value::NAME)
        .hint("correct the value that the name is made of"))
}

async fn create(cx: &Context, inner: &Inner, shape: &ClassShape, plan: Plan) -> Result<Done, ConnectorError> {
    let (name, attributes) = modification::entry(plan, shape)?;
    check_name(inner, &name)?;
    let id_attribute = shape.id.attribute().filter(|_| inner.shape.post_read);
    let told = format!("add `{name}`");
    let asked = name.clone();
    let talk = move |mut ldap: Ldap| async move {
        if let Some(attribute) = id_attribute {
            // Not critical: the entry is to be made whether or not it can be shown.
            let post: RawControl = ldap3::controls::PostRead::new(vec![attribute]);
            ldap.with_controls(vec![post]);
        }
        ldap.add(&asked, attributes.into_iter().map(|(name, values)| (name.into_bytes(), values)).collect()).await
    };
    let result = inner.wire.converse(cx, &told, Effect::Writes, talk).await?;
    match result.rc {
        0 => {}
        68 => {
            let mut error = fault::of_result(&result, &told);
            error.existing_id = owner(cx, &inner.wire, shape, &name).await.ok().flatten();
            return Err(error);
        }
        32 => {
            let (_, _, parent) = template::rdn(&name).unwrap_or_default();
            let message = format!("{told}: the container `{parent}` is not there");
            return Err(ConnectorError::new(ErrorCode::Constraint, message)
                .status(32)
                .hint("make it, or correct `dn:` of the class; containers are not made along with entries"));
        }
        // What servers say of a name that their index cannot hold.
        80 if template::rdn(&name).is_some_and(|(first, ..)| first.len() > LONGEST_NAME) => {
            let message = format!("the server refuses a name of {} characters: {}", name.chars().count(), result.text);
            return Err(ConnectorError::new(ErrorCode::InvalidValue, message)
                .status(80)
                .hint("make it of a shorter value"));
        }
        _ => return Err(fault::of_result(&result, &told)),
    }
    let shown = shown(&result, shape.id);
    let (id, requests) = match shown {
        Some(id) => (Some(id), 1),
        None => (owner(cx, &inner.wire, shape, &name).await.ok().flatten(), 2),
    };
    let Some(id) = id else {
        // It was made; which it is, nobody says.
        let message = format!("{told}: the entry was made, and the server does not show its id");
        return Err(ConnectorError::new(ErrorCode::UnknownOutcome, message).status(200));
    };
    inner.names.note(&id, &name);
    Ok(Done { target_id: id, requests, exchange: Some(Box::new(exchange("add", &result))), ..Done::default() })
}

/// The id that the answer to an add shows (RFC 4527).
fn shown(result: &LdapResult, by: Identifier) -> Option<ObjectId> {
    let raw = result.ctrls.iter().find_map(|Control(kind, raw)| match kind {
        Some(ControlType::PostReadResp) => Some(raw),
        _ => None,
    })?;
    let read: ReadEntryResp = raw.parse();
    let entry = ldap3::SearchEntry { dn: String::new(), attrs: read.attrs, bin_attrs: read.bin_attrs };
    value::id(&entry, by)
}

async fn update(
    cx: &Context,
    inner: &Inner,
    shape: &ClassShape,
    id: &ObjectId,
    mut plan: Plan,
) -> Result<Done, ConnectorError> {
    let mut requests = 0;
    let mut last = None;
    // The value in the name is changed by renaming.
    if plan.name.is_some() || plan.touches_name() {
        let name = name_of(cx, inner, shape, id).await?;
        if let Some((first, parent)) = modification::rename(&mut plan, &name)? {
            let told = format!("rename `{name}`");
            let target = format!("{first},{parent}");
            check_name(inner, &target)?;
            let above = (template::rdn(&name).map(|(_, _, above)| template::normal(above))
                != Some(template::normal(&parent)))
            .then_some(parent);
            let talk = move |mut ldap: Ldap| async move { ldap.modifydn(&name, &first, true, above.as_deref()).await };
            let result = inner.wire.converse(cx, &told, Effect::Writes, talk).await?;
            inner.names.forget(id);
            if result.rc != 0 {
                return Err(fault::of_result(&result, &told));
            }
            inner.names.note(id, &target);
            requests += 1;
            last = Some(result);
        }
    }
    if !plan.changes.is_empty() || plan.on.is_some() {
        let result = match plan.on {
            Some(on) => turn(cx, inner, shape, id, &plan, on, &mut requests).await,
            None => modify(cx, inner, shape, id, &plan, &mut requests).await.map(Some),
        };
        match result {
            Ok(result) => last = result.or(last),
            // It was renamed, and the rest was not done.
            Err(error) if last.is_some() && error.code != ErrorCode::UnknownOutcome => {
                return Err(ConnectorError {
                    code: ErrorCode::Partial,
                    message: format!("renamed, but: {}", error.message),
                    ..error
                });
            }
            Err(error) => return Err(error),
        }
    }
    let exchange = last.map(|result| Box::new(exchange("modify", &result)));
    Ok(Done { target_id: id.clone(), requests, exchange, ..Done::default() })
}

/// Sends the changes with a bit turned, unless somebody else writes that number in between: then it is read again.
async fn turn(
    cx: &Context,
    inner: &Inner,
    shape: &ClassShape,
    id: &ObjectId,
    plan: &Plan,
    on: bool,
    requests: &mut u32,
) -> Result<Option<LdapResult>, ConnectorError> {
    let Some(switch) = &shape.switch else {
        return Err(ConnectorError::new(ErrorCode::Internal, "the class has no switch"));
    };
    let given = plan.changes.iter().find(|piece| piece.attribute == switch.attribute);
    if let Some(text) = given.map(|piece| piece.text.clone()) {
        // Whoever sets the number itself says all of its bits.
        let mut changes: Vec<Piece> =
            plan.changes.iter().filter(|piece| piece.attribute != switch.attribute).cloned().collect();
        changes.push(modification::number(switch, text.as_deref(), on));
        return modify(cx, inner, shape, id, &Plan { changes, ..Plan::default() }, requests).await.map(Some);
    }
    let mut tries = 0;
    loop {
        tries += 1;
        let name = name_of(cx, inner, shape, id).await?;
        let asked = Plan { changes: vec![modification::number(switch, None, on)], ..Plan::default() };
        let now = current(cx, inner, &name, &asked).await?;
        let now = now.values().flatten().next().and_then(|value| std::str::from_utf8(value).ok());
        let mut changes = plan.changes.clone();
        changes.extend(modification::turn(switch, now, on));
        if changes.is_empty() {
            return Ok(None);
        }
        let exact = Plan { changes, exact: true, ..Plan::default() };
        match modify(cx, inner, shape, id, &exact, requests).await {
            Err(error) if error.code == ErrorCode::Conflict && tries < 4 => {}
            result => return result.map(Some),
        }
    }
}

/// Sends the changes, and once more in another form where the server takes the first one badly.
async fn modify(
    cx: &Context,
    inner: &Inner,
    shape: &ClassShape,
    id: &ObjectId,
    plan: &Plan,
    requests: &mut u32,
) -> Result<LdapResult, ConnectorError> {
    // With permission to pass over what is not there, another's change would be overwritten.
    let permissive = inner.shape.permissive && !plan.exact;
    let mut changes = plan.changes.clone();
    let mut tries = 0;
    loop {
        *requests += 1;
        tries += 1;
        let sent = &changes;
        let ask = |mut ldap: Ldap, name: String| -> Answer {
            let mods: Vec<Mod<Vec<u8>>> = sent.iter().map(modification::Piece::to_mod).collect();
            if permissive {
                let control = RawControl { ctype: shape::PERMISSIVE_MODIFY.to_owned(), crit: false, val: None };
                let mut controls = ldap.controls.take().unwrap_or_default();
                controls.push(control);
                ldap.with_controls(controls);
            }
            Box::pin(async move { ldap.modify(&name, mods).await })
        };
        let result = addressed(cx, inner, shape, id, "modify", ask).await?;
        match result.rc {
            0 => return Ok(result),
            // Something is there already, or not there: only what is left to do is sent. The last two are how Active
            // Directory says so of members.
            rc @ (16 | 20 | 68 | 53) if tries < 4 && !plan.exact => {
                let name = name_of(cx, inner, shape, id).await?;
                let before: usize = changes.iter().map(|piece| piece.values.len()).sum();
                changes = modification::left(changes, &current(cx, inner, &name, plan).await?);
                if changes.is_empty() {
                    return Ok(LdapResult { rc: 0, ..result });
                }
                let after: usize = changes.iter().map(|piece| piece.values.len()).sum();
                if before == after && matches!(rc, 68 | 53) {
                    return Err(fault::of_result(&result, "modify"));
                }
            }
            // A group must not be empty.
            65 if tries < 4 && modification::add_placeholder(&mut changes, shape) => {}
            _ => return Err(fault::of_result(&result, "modify")),
        }
    }
}

/// The values that the touched attributes have now.
async fn current(
    cx: &Context,
    inner: &Inner,
    name: &str,
    plan: &Plan,
) -> Result<BTreeMap<String, Values>, ConnectorError> {
    let names: Vec<String> = plan.changes.iter().map(|piece| piece.attribute.to_string()).collect();
    let (asked, wanted) = (name.to_owned(), names.clone());
    let talk = move |mut ldap: Ldap| async move {
        shape::one(&mut ldap, &asked, "(objectClass=*)", wanted.iter().map(String::as_str).collect()).await
    };
    let entry = inner.wire.converse(cx, "read an entry", Effect::Reads, talk).await?;
    let Some(entry) = entry else { return Ok(BTreeMap::new()) };
    Ok(names
        .into_iter()
        .map(|name| (name.as_str().to_lowercase(), value::bytes(&entry, &name).into_iter().collect()))
        .collect())
}

fn finish(result: &LdapResult, what: &str, id: ObjectId) -> Result<Done, ConnectorError> {
    if result.rc != 0 {
        return Err(fault::of_result(result, &format!("{what} `{id}`")));
    }
    Ok(Done { target_id: id, requests: 1, exchange: Some(Box::new(exchange(what, result))), ..Done::default() })
}

/// For the log: neither names nor values, those are people's.
fn exchange(what: &str, result: &LdapResult) -> Exchange {
    Exchange { request: what.into(), status: u16::try_from(result.rc).ok(), request_id: None }
}
