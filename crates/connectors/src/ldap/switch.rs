//! How an account is switched off: by an attribute of its own with two values, or by something that has no second value: a
//! mark that is there or not (`nsAccountLock`), a bit of a number (`userAccountControl`). The latter are shown as the
//! attribute [`ENABLED`], true or false, which no server has.

use ldap3::SearchEntry;
use provost_connector::{ConnectorError, Enablement, ErrorCode};
use provost_model::{AttributePath, AttributeSchema, AttributeType, Text, Value};

use super::catalogue::Attribute;
use super::{config, value};

/// The attribute that stands for a mark or a bit.
pub const ENABLED: &str = "enabled";

/// `userAccountControl` of an ordinary account that is on (MS-ADTS section 2.2.16).
const NORMAL_ACCOUNT: i64 = 0x200;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    pub attribute: Text,
    pub how: How,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// The attribute itself, by two of its values.
    Values { on: Text, off: Text },
    /// Off with this value, on with any other and without one.
    Mark { off: Text },
    /// Off while the bit is set.
    Bit(i64),
}

impl Switch {
    /// By the settings, which were checked.
    pub fn of(setting: &config::Switch) -> Option<Self> {
        let how = match (&setting.on, &setting.off, setting.bit) {
            (Some(on), Some(off), _) => How::Values { on: on.clone(), off: off.clone() },
            (None, Some(off), _) => How::Mark { off: off.clone() },
            (_, None, Some(bit)) => How::Bit(bit),
            _ => return None,
        };
        Some(Self { attribute: setting.attribute.clone(), how })
    }

    pub fn is_virtual(&self) -> bool {
        !matches!(self.how, How::Values { .. })
    }

    /// Whether a path names the attribute that stands for it.
    pub fn is_named(&self, name: &str) -> bool {
        self.is_virtual() && name.eq_ignore_ascii_case(ENABLED)
    }

    pub fn enablement(&self, about: &Attribute) -> Enablement {
        match &self.how {
            How::Values { on, off } => Enablement {
                path: AttributePath::name(about.name.clone()),
                on: value::read(about.kind, on),
                off: value::read(about.kind, off),
            },
            _ => {
                Enablement { path: AttributePath::name(ENABLED), on: Value::Boolean(true), off: Value::Boolean(false) }
            }
        }
    }

    /// The attribute that stands for it, for the schema.
    pub fn schema(&self) -> Option<AttributeSchema> {
        self.is_virtual().then(|| AttributeSchema::new(ENABLED, AttributeType::Boolean))
    }

    /// Whether the account is on. An entry without the attribute is.
    pub fn is_on(&self, entry: &SearchEntry) -> bool {
        let have = value::find(entry, &self.attribute).and_then(|values| values.first());
        match (&self.how, have) {
            (How::Values { off, .. } | How::Mark { off }, Some(have)) => !have.eq_ignore_ascii_case(off),
            (How::Bit(bit), Some(have)) => have.parse::<i64>().map_or(true, |have| have & bit == 0),
            (_, None) => true,
        }
    }

    /// The number with the bit as it is wanted.
    pub fn turned(bit: i64, have: Option<i64>, on: bool) -> i64 {
        let have = have.unwrap_or(NORMAL_ACCOUNT);
        if on { have & !bit } else { have | bit }
    }

    /// What is asked for, from a change of the attribute that stands for it.
    pub fn wanted(value: &Value) -> Result<bool, ConnectorError> {
        let word = value.to_text().map(|text| text.to_ascii_lowercase());
        match word.as_deref() {
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            _ => {
                Err(ConnectorError::new(ErrorCode::InvalidValue, format!("`{ENABLED}` takes true or false"))
                    .at(ENABLED))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_beside_it_stay() {
        for (have, on, wanted) in [
            (Some(0x200), false, 0x202),
            (Some(0x10202), true, 0x10200),
            (Some(0x10200), true, 0x10200),
            (None, true, 0x200),
            (None, false, 0x202),
        ] {
            assert_eq!(Switch::turned(2, have, on), wanted);
        }
    }
}
