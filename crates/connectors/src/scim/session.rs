//! A configured connection: the classes with what is known of each, and the contract's methods, which `read`, `scan`,
//! `write` and `test` carry out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use provost_connector::{
    Applied, Capabilities, CheckResult, ClassCapabilities, ConnectorError, Context, Enablement, ErrorCode, FindRequest,
    LookupRequest, Page, Scan, ScanMode, ScanRequest, Scope, Session,
};
use provost_model::{AttributePath, ClassName, ClassSchema, ObjectId, Operation, Record, Schema, Text, Value};
use provost_scim::TypeSchema;
use provost_scim::client::{BodyWriter, Deprovision, Dialect, Paging, Rules, UpdateMethod};
use provost_scim::schema::{Attribute, class_schema};
use tokio::sync::OnceCell;

use super::discovery::{self, Discovered};
use super::scan::FullScan;
use super::wire::{ACCEPTED, SCIM_JSON};
use super::{bulk, count, find, lookup, read, test, write};
use crate::http::Client;
use crate::http::header::HeaderMap;

/// Values of one `lookup` call: each is a request, so that more would only hold up whoever waits for the first. With one,
/// the engine looks up and creates person by person, as many at once as the target bears.
const MAX_LOOKUP: usize = 1;

/// One resource type of the target.
pub struct Class {
    pub name: ClassName,
    /// `/Users`.
    pub endpoint: String,
    pub types: Arc<TypeSchema>,
    pub schema: Arc<ClassSchema>,
    pub writer: BodyWriter,
    pub update: UpdateMethod,
    /// `active`, where an account is switched off by it.
    pub enablement: Option<Arc<AttributePath>>,
    /// What the target wants of attributes beyond its schema.
    pub rules: Rules,
    /// The target has said that it has no PATCH.
    pub has_no_patch: AtomicBool,
    /// Whether objects have `members`, the one attribute that may be too long to be read by the way.
    pub has_members: bool,
    /// What the target shows only to those who name it.
    pub on_request: Vec<(Text, AttributePath)>,
    /// The target has answered a filter with objects that do not fit.
    pub ignores_filters: AtomicBool,
}

impl Class {
    /// Members that one request may change; 0 is no limit. A PUT holds all of them whatever changes: in pieces the whole would
    /// be read and written once for each.
    pub fn members_at_once(&self, dialect: &Dialect) -> usize {
        if self.update == UpdateMethod::Put { 0 } else { dialect.members_per_request }
    }
}

/// What all requests of a connection share.
pub struct Target {
    pub client: Client,
    /// The headers of a GET, and those of a request with a body.
    pub reading: HeaderMap,
    pub writing: HeaderMap,
    pub dialect: Arc<Dialect>,
    pub classes: Vec<Class>,
    /// Whether the target can be asked how many users a group has.
    pub counts_members: OnceCell<bool>,
}

impl Target {
    /// The class of this name, in any letter case.
    pub fn class(&self, name: &str) -> Result<&Class, ConnectorError> {
        self.classes.iter().find(|class| class.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
            let known: Vec<&str> = self.classes.iter().map(|class| class.name.as_str()).collect();
            ConnectorError::new(ErrorCode::NotSupported, format!("the target has no class `{name}`"))
                .scope(Scope::Class)
                .hint(format!("classes of this target: {}", known.join(", ")))
        })
    }
}

/// The session of the connector `scim`.
pub struct ScimSession {
    target: Arc<Target>,
    capabilities: Capabilities,
}

impl ScimSession {
    pub fn new(client: Client, found: Discovered) -> Self {
        let dialect = Arc::new(found.dialect);
        let class = |types| class(types, &client, &dialect, found.published);
        let classes: Vec<Class> = found.types.iter().map(class).collect();
        let capabilities = Capabilities {
            classes: classes.iter().map(|class| abilities(class, &dialect)).collect(),
            max_in_flight: dialect.max_in_flight,
            max_batch: if dialect.bulk { dialect.bulk_operations.max(1) } else { 1 },
            max_lookup: MAX_LOOKUP,
            requests_per_second: dialect.requests_per_second,
        };
        let (reading, writing) = (client.headers(&ACCEPTED, None), client.headers(&ACCEPTED, Some(&SCIM_JSON)));
        let target = Target { client, reading, writing, dialect, classes, counts_members: OnceCell::new() };
        Self { target: Arc::new(target), capabilities }
    }
}

fn class(types: &Arc<TypeSchema>, client: &Client, dialect: &Arc<Dialect>, published: bool) -> Class {
    let schema = Arc::new(model_class(types, dialect, published));
    let name = schema.name.clone();
    let deactivates = dialect.deprovision != Deprovision::Delete && schema.attribute("active").is_some();
    Class {
        endpoint: client.base().below(&types.resource_type.endpoint),
        types: with_rules(types, &schema, dialect),
        writer: BodyWriter::new(Arc::clone(dialect), Arc::clone(&schema), Some(&types.core.id)),
        update: dialect.update_of(&name),
        enablement: deactivates.then(|| Arc::new(AttributePath::name("active"))),
        rules: Rules::of(dialect, &name),
        has_no_patch: AtomicBool::new(false),
        has_members: schema.attribute("members").is_some(),
        on_request: on_request(&schema),
        ignores_filters: AtomicBool::new(false),
        schema,
        name,
    }
}

/// The type as answers are compared by it: letter case as the dialect has it.
fn with_rules(types: &Arc<TypeSchema>, class: &ClassSchema, dialect: &Dialect) -> Arc<TypeSchema> {
    if dialect.rules_of(&class.name).all(|(_, rule)| rule.case_exact.is_none()) {
        return Arc::clone(types);
    }
    let ruled = |attribute: &mut Attribute, urn: Option<&str>| {
        let name = urn.map_or_else(|| attribute.name.to_string(), |urn| format!("{urn}:{}", attribute.name));
        let Some(known) = class.attribute(&name) else { return };
        attribute.case_exact = known.case_exact;
        for part in &mut attribute.sub_attributes {
            let known = known.sub_attributes.iter().find(|known| known.name.eq_ignore_ascii_case(&part.name));
            part.case_exact = known.map_or(part.case_exact, |known| known.case_exact);
        }
    };
    let mut types = (**types).clone();
    let core = Arc::make_mut(&mut types.core);
    // What every resource has is in no schema of the type; there it wins over what is common.
    for common in TypeSchema::common().attributes.iter().filter(|common| matches!(&*common.name, "id" | "externalId")) {
        if core.attribute(&common.name).is_none() {
            core.attributes.push(common.clone());
        }
    }
    core.attributes.iter_mut().for_each(|attribute| ruled(attribute, None));
    for extension in &mut types.extensions {
        let schema = Arc::make_mut(&mut extension.schema);
        let urn = schema.id.to_string();
        schema.attributes.iter_mut().for_each(|attribute| ruled(attribute, Some(&urn)));
    }
    Arc::new(types)
}

fn on_request(schema: &ClassSchema) -> Vec<(Text, AttributePath)> {
    let hidden = schema.attributes.iter().filter(|attribute| attribute.on_request && !attribute.sensitive);
    hidden.filter_map(|attribute| Some((attribute.name.clone(), attribute.name.parse().ok()?))).collect()
}

/// A class that the target did not publish may have more attributes than the RFC gives it.
fn model_class(types: &TypeSchema, dialect: &Dialect, published: bool) -> ClassSchema {
    let mut class = ClassSchema { open: !published, ..class_schema(types) };
    Rules::of(dialect, &class.name).lay_over(&mut class);
    class
}

fn abilities(class: &Class, dialect: &Dialect) -> ClassCapabilities {
    let enablement = class.enablement.as_ref().map(|path| Enablement {
        path: (**path).clone(),
        on: Value::Boolean(true),
        off: Value::Boolean(false),
    });
    ClassCapabilities {
        name: class.name.clone(),
        scan: true,
        changes: false,
        create: true,
        update: true,
        delete: true,
        enablement,
        lookup: lookups(dialect),
        // Cursor paging comes without totals.
        count: dialect.paging == Paging::Index,
        max_values_per_change: Some(class.members_at_once(dialect)).filter(|limit| *limit > 0),
        references_in_create: true,
        preconditions: dialect.etag,
    }
}

/// What objects can be found by; without filters by the id alone.
fn lookups(dialect: &Dialect) -> Vec<Text> {
    match (dialect.filter, dialect.filter_attributes.as_slice()) {
        (false, _) => vec!["id".into()],
        (true, []) => vec!["*".into()],
        (true, some) => some.iter().cloned().chain(["id".into()]).collect(),
    }
}

#[async_trait]
impl Session for ScimSession {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn schema(&self, cx: &Context) -> Result<Schema, ConnectorError> {
        // Asked anew: a target may have got an extension since. Hints were taken at set-up and stay.
        let dialect = (*self.target.dialect).clone();
        let found = discovery::discover(cx, &self.target.client, dialect, &BTreeSet::new()).await?;
        let classes = found.types.iter().map(|types| model_class(types, &self.target.dialect, found.published));
        let classes = classes.collect();
        Ok(Schema { classes })
    }

    async fn test(&self, cx: &Context) -> Vec<CheckResult> {
        test::checks(cx, &self.target).await
    }

    async fn get(&self, cx: &Context, class: &str, id: &ObjectId) -> Result<Option<Record>, ConnectorError> {
        read::get(cx, &self.target, self.target.class(class)?, id).await
    }

    async fn find(&self, cx: &Context, request: FindRequest) -> Result<Page, ConnectorError> {
        find::find(cx, &self.target, request).await
    }

    async fn lookup(&self, cx: &Context, request: LookupRequest) -> Result<Vec<Vec<Record>>, ConnectorError> {
        let class = self.target.class(&request.class)?;
        let mut found = Vec::with_capacity(request.values.len());
        for value in &request.values {
            found.push(lookup::lookup(cx, &self.target, class, &request.path, value).await?);
        }
        Ok(found)
    }

    async fn count(&self, cx: &Context, class: &str) -> Result<u64, ConnectorError> {
        count::count(cx, &self.target, self.target.class(class)?).await
    }

    async fn scan(&self, _cx: &Context, request: ScanRequest) -> Result<Box<dyn Scan>, ConnectorError> {
        let class = self.target.class(&request.class)?;
        match request.mode {
            ScanMode::Full => Ok(Box::new(FullScan::new(Arc::clone(&self.target), class.name.clone(), &request)?)),
            ScanMode::Changes { .. } => Err(ConnectorError::new(
                ErrorCode::NotSupported,
                "SCIM targets do not tell what changed since a point in time",
            )
            .scope(Scope::Class)),
        }
    }

    async fn apply(&self, cx: &Context, operations: &[Operation]) -> Vec<Applied> {
        if self.target.dialect.bulk && operations.len() > 1 {
            return bulk::apply(cx, &self.target, operations).await;
        }
        let mut applied = Vec::with_capacity(operations.len());
        for operation in operations {
            applied.push(match write::apply(cx, &self.target, operation).await {
                Ok(done) => Applied::done(operation.id.clone(), done),
                Err(error) => Applied::failed(operation.id.clone(), error),
            });
        }
        applied
    }
}
