//! Filters over resources, by schema (RFC 7644 section 3.4.2.2): compiled once per query, then asked per resource.
//!
//! Parsing is [`provost_model::Filter`]'s. Here names are resolved, operands are checked against the attribute's type, and
//! what SCIM does not have (Entra's operators, nested brackets) is refused with `invalidFilter`. Scoping filters of jobs
//! are another matter and another crate's.

mod compile;
mod test;

use provost_model::filter::FilterError;
use provost_model::{Attributes, Filter, Text, Value};

use crate::schema::Attribute;
use crate::{ScimError, TypeSchema};

use compile::Compiler;
use test::{Scope, Test};

/// What becomes of a comparison with an attribute that the type does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// 400 `invalidFilter`: for the endpoint of one type.
    Refuse,
    /// It never matches: for queries over all types, some of which lack the attribute.
    NoMatch,
}

/// Reads the text of a filter; what cannot be read is 400 `invalidFilter`.
pub fn parse(text: &str) -> Result<Filter, ScimError> {
    text.parse().map_err(|error: FilterError| ScimError::invalid_filter(error.to_string()))
}

/// A filter bound to a resource type.
#[derive(Debug, Clone)]
pub struct ResourceFilter {
    node: Node,
    core: Text,
    extensions: Vec<Text>,
    type_name: Text,
}

impl ResourceFilter {
    /// Binds a filter. Fails with `invalidFilter` for unknown attributes (see [`Missing`]), secrets such as `password`,
    /// operators that SCIM lacks or the type of the attribute does not allow, and operands of another type.
    pub fn compile(filter: &Filter, types: &TypeSchema, missing: Missing) -> Result<Self, ScimError> {
        Ok(Self {
            node: Compiler::Resource(types, missing).filter(filter)?,
            core: types.core.id.clone(),
            extensions: types.extensions.iter().map(|extension| extension.schema.id.clone()).collect(),
            type_name: types.resource_type.name.clone(),
        })
    }

    /// Whether a stored resource satisfies the filter. `schemas` and `meta.resourceType` need not be stored.
    pub fn matches(&self, resource: &Attributes) -> bool {
        self.node.holds(&Scope::Resource { attributes: resource, filter: self })
    }
}

/// The filter of a value path, `emails[type eq "work"]`, bound to its attribute.
#[derive(Debug, Clone)]
pub struct ElementFilter(Node);

impl ElementFilter {
    /// Binds the filter inside the brackets; names in it are sub-attributes. Fails with `invalidFilter`.
    pub fn compile(filter: &Filter, attribute: &Attribute) -> Result<Self, ScimError> {
        Ok(Self(Compiler::Element(attribute).filter(filter)?))
    }

    /// Whether one element of the attribute satisfies the filter.
    pub fn matches(&self, element: &Value) -> bool {
        self.0.holds(&Scope::Element(element))
    }
}

#[derive(Debug, Clone)]
enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Test(Test),
    /// All of it holds for one element of the attribute.
    Each(Slot, Box<Node>),
    Never,
}

/// Where the compared value sits, in the schema's spelling.
#[derive(Debug, Clone, PartialEq)]
enum Slot {
    Attribute {
        extension: Option<Text>,
        name: Text,
        sub: Option<Text>,
    },
    /// Computed from the containers.
    Schemas,
    /// Known from the type.
    ResourceType,
    /// The element itself, for `tags[value eq "x"]`.
    Itself,
}

impl Slot {
    fn is_user_name(&self) -> bool {
        matches!(self, Slot::Attribute { extension: None, name, sub: None } if name == "userName")
    }
}

impl Node {
    fn holds(&self, scope: &Scope<'_>) -> bool {
        match self {
            Node::And(parts) => parts.iter().all(|part| part.holds(scope)),
            Node::Or(parts) => parts.iter().any(|part| part.holds(scope)),
            Node::Not(inner) => !inner.holds(scope),
            Node::Test(test) => test.holds(scope),
            Node::Each(slot, inner) => scope.any(slot, &mut |element| inner.holds(&Scope::Element(element))),
            Node::Never => false,
        }
    }
}

#[cfg(test)]
mod tests;
