//! Values of entries and values of records, each from the other.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ldap3::SearchEntry;
use provost_connector::{ConnectorError, ErrorCode};
use provost_model::{ObjectId, Text, Value};

use super::catalogue::Kind;
use super::shape::Identifier;

/// The attribute that is the entry's own name.
pub const NAME: &str = "dn";

/// The texts of an attribute, in any letter case.
pub fn find<'e>(entry: &'e SearchEntry, name: &str) -> Option<&'e Vec<String>> {
    entry.attrs.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, values)| values)
}

/// The bytes of each value, whether they are a text or not.
pub fn bytes(entry: &SearchEntry, name: &str) -> Vec<Vec<u8>> {
    let is_it = |have: &&String| have.eq_ignore_ascii_case(name);
    let texts = entry.attrs.iter().filter(|(have, _)| is_it(have)).flat_map(|(_, values)| values);
    let other = entry.bin_attrs.iter().filter(|(have, _)| is_it(have)).flat_map(|(_, values)| values);
    texts.map(|text| text.clone().into_bytes()).chain(other.cloned()).collect()
}

/// The id of an entry; none when it does not show it.
pub fn id(entry: &SearchEntry, by: Identifier) -> Option<ObjectId> {
    match by {
        Identifier::Name => Some(entry.dn.as_str().into()),
        Identifier::Text(name) => Some(find(entry, name)?.first()?.as_str().into()),
        Identifier::Guid(name) => Some(guid(bytes(entry, name).first()?)?.into()),
    }
}

/// The sixteen bytes as Microsoft writes them: the first three groups with their bytes turned round.
fn guid(bytes: &[u8]) -> Option<String> {
    let b: &[u8; 16] = bytes.try_into().ok()?;
    let hex = |at: &[usize]| at.iter().map(|&at| format!("{:02x}", b[at])).collect::<String>();
    let groups = [hex(&[3, 2, 1, 0]), hex(&[5, 4]), hex(&[7, 6]), hex(&[8, 9]), hex(&[10, 11, 12, 13, 14, 15])];
    Some(groups.join("-"))
}

/// The filter that finds the entry of an id; none when the text can be no id.
pub fn id_filter(by: Identifier, id: &str) -> Option<String> {
    match by {
        Identifier::Name => None,
        Identifier::Text(name) => {
            let is_id = !id.is_empty() && id.chars().all(|letter| letter.is_ascii_hexdigit() || letter == '-');
            // A text that is no UUID is a syntax error to some servers, and nobody to all.
            (is_id && id.len() >= 35 && id.len() <= 36).then(|| format!("({name}={id})"))
        }
        Identifier::Guid(name) => {
            let plain: String = id.split('-').collect();
            let raw: Vec<&str> = (0..16).map(|at| plain.get(at * 2..at * 2 + 2)).collect::<Option<_>>()?;
            let is_hex = plain.len() == 32 && plain.chars().all(|letter| letter.is_ascii_hexdigit());
            let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
            is_hex.then(|| format!("({name}={})", order.map(|at| format!("\\{}", raw[at])).concat()))
        }
    }
}

/// A text of the server as a value. What does not have the form of its kind stays a text.
pub fn read(kind: Kind, text: &str) -> Value {
    match kind {
        Kind::Boolean if text.eq_ignore_ascii_case("true") => Value::Boolean(true),
        Kind::Boolean if text.eq_ignore_ascii_case("false") => Value::Boolean(false),
        Kind::Integer => text.parse().map_or_else(|_| Value::text(text), Value::Integer),
        Kind::Time => time(text).map_or_else(|| Value::text(text), |time| Value::text(time.to_string())),
        Kind::FileTime => file_time(text).map_or_else(|| Value::text(text), |time| Value::text(time.to_string())),
        Kind::Bytes => Value::text(STANDARD.encode(text)),
        _ => Value::text(text),
    }
}

/// 100 nanoseconds between 1601 and 1970.
const UNIX_EPOCH: i64 = 116_444_736_000_000_000;

/// None for what is no point in time: 0, and the largest number, which is never.
fn file_time(text: &str) -> Option<Timestamp> {
    let ticks: i64 = text.parse().ok().filter(|ticks| *ticks > 0 && *ticks < i64::MAX)?;
    Timestamp::from_nanosecond(i128::from(ticks - UNIX_EPOCH) * 100).ok()
}

pub fn read_bytes(bytes: &[u8]) -> Value {
    Value::text(STANDARD.encode(bytes))
}

/// `20260102030405Z`, `202601020304Z`, `20260102030405.25+0100` (RFC 4517 section 3.3.13).
fn time(text: &str) -> Option<Timestamp> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (main, rest) = text.split_at(digits);
    let number = |from: usize, to: usize| main.get(from..to)?.parse::<i16>().ok();
    let (minute, second) = (number(10, 12).unwrap_or(0), number(12, 14).unwrap_or(0));
    let small = |number: i16| i8::try_from(number).ok();
    let (month, day, hour) = (small(number(4, 6)?)?, small(number(6, 8)?)?, small(number(8, 10)?)?);
    let (fraction, zone) = match rest.strip_prefix(['.', ',']) {
        Some(rest) => {
            let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
            let nanos = format!("{:0<9.9}", &rest[..end]).parse::<i32>().ok()?;
            (nanos, &rest[end..])
        }
        None => (0, rest),
    };
    let time = DateTime::new(number(0, 4)?, month, day, hour, small(minute)?, small(second)?, fraction).ok()?;
    let time = time.to_zoned(TimeZone::UTC).ok()?.timestamp();
    let offset = match zone.split_at_checked(1) {
        Some(("Z", "")) => 0,
        Some((sign @ ("+" | "-"), offset)) if offset.len() == 4 || offset.len() == 2 => {
            let hours: i64 = offset.get(..2)?.parse().ok()?;
            let minutes: i64 = offset.get(2..4).map_or(Some(0), |minutes| minutes.parse().ok())?;
            (hours * 3600 + minutes * 60) * if sign == "+" { 1 } else { -1 }
        }
        _ => return None,
    };
    time.checked_sub(jiff::SignedDuration::from_secs(offset)).ok()
}

/// A value as the server takes it.
pub fn write(kind: Kind, secret: bool, value: &Value, path: &str) -> Result<Vec<u8>, ConnectorError> {
    let wrong = |what: &str| {
        ConnectorError::new(ErrorCode::InvalidValue, format!("`{path}` takes {what}, not {}", value.kind()))
            .at(Text::from(path))
    };
    let Some(text) = value.to_text() else { return Err(wrong("a single value")) };
    Ok(match kind {
        Kind::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" => b"TRUE".to_vec(),
            "false" => b"FALSE".to_vec(),
            _ => return Err(wrong("true or false")),
        },
        Kind::Time => {
            // One that is written as the server has it is left alone.
            let Ok(time) = text.parse::<Timestamp>() else { return Ok(text.into_owned().into_bytes()) };
            let time = time.to_zoned(TimeZone::UTC);
            time.strftime("%Y%m%d%H%M%SZ").to_string().into_bytes()
        }
        Kind::FileTime => {
            // A number is taken as it stands: 0 and -1 have meanings of their own.
            let Ok(time) = text.parse::<Timestamp>() else {
                return text.parse::<i64>().map(|ticks| ticks.to_string().into_bytes()).map_err(|_| wrong("a time"));
            };
            let ticks = time.as_nanosecond() / 100 + i128::from(UNIX_EPOCH);
            i64::try_from(ticks).map_err(|_| wrong("a time after 1601"))?.to_string().into_bytes()
        }
        Kind::Bytes if !secret => STANDARD.decode(text.as_bytes()).map_err(|_| wrong("base64"))?,
        _ => text.into_owned().into_bytes(),
    })
}

/// A password as Active Directory takes it: in quotes, each letter in two bytes (MS-ADTS section 3.1.1.3.1.5.1).
pub fn quoted(value: &Value, path: &str) -> Result<Vec<u8>, ConnectorError> {
    let Some(text) = value.as_text() else {
        let message = format!("`{path}` takes a text, not {}", value.kind());
        return Err(ConnectorError::new(ErrorCode::InvalidValue, message).at(Text::from(path)));
    };
    Ok(format!("\"{text}\"").encode_utf16().flat_map(u16::to_le_bytes).collect())
}

/// Whether an account never expires.
pub fn is_never(kind: Kind, name: &str, text: &str) -> bool {
    let never = ["9223372036854775807", "0"];
    kind == Kind::FileTime && name.eq_ignore_ascii_case("accountExpires") && never.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        let cases = [
            ("20260102030405Z", "2026-01-02T03:04:05Z"),
            ("202601020304Z", "2026-01-02T03:04:00Z"),
            ("20260102030405.25+0100", "2026-01-02T02:04:05.25Z"),
            ("no time", "no time"),
            ("20260102030405.2€a", "20260102030405.2€a"),
            ("20260102030405+€a", "20260102030405+€a"),
        ];
        assert_eq!(read(Kind::FileTime, "133801632000000000"), Value::text("2025-01-01T00:00:00Z"));
        assert_eq!(read(Kind::FileTime, "9223372036854775807"), Value::text("9223372036854775807"));
        let back = write(Kind::FileTime, false, &"2025-01-01T00:00:00Z".into(), "x").unwrap();
        assert_eq!(back, b"133801632000000000");
        for (text, wanted) in cases {
            assert_eq!(read(Kind::Time, text), Value::text(wanted));
        }
        assert_eq!(write(Kind::Time, false, &"2026-01-02T02:04:05Z".into(), "x").unwrap(), b"20260102020405Z");
    }

    #[test]
    fn ids_are_asked_for() {
        let bytes: Vec<u8> = (1..=16).collect();
        let text = guid(&bytes).unwrap();
        assert_eq!(text, "04030201-0605-0807-090a-0b0c0d0e0f10");
        let filter = id_filter(Identifier::Guid("objectGUID"), &text).unwrap();
        assert_eq!(filter, format!("(objectGUID={})", bytes.iter().map(|b| format!("\\{b:02x}")).collect::<String>()));
        let uuid = Identifier::Text("entryUUID");
        assert!(id_filter(uuid, "0b5a1c2e-8d4f-4b1e-9a60-1f2e3d4c5b6a").is_some());
        for other in ["", "*", "no such id", "x)(objectClass=*"] {
            assert_eq!(id_filter(uuid, other), None);
        }
    }
}
