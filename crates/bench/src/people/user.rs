//! A person as the SCIM user that both sides send: the raw client writes it directly, the engine maps it from the CSV
//! with `scenarios/*.yaml`. Both must give the same attributes, so that the sink's digest after a run of either is equal.
//! Shape: about 1,000 bytes, core and enterprise schema, 20 values (RFC 7643 §8.3).

use super::Person;

pub const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// The user as JSON text.
#[must_use]
pub fn json_of(p: &Person) -> String {
    let mut out = String::with_capacity(1_200);
    write_json(&mut out, p);
    out
}

/// Appends the user as JSON text. No value tree, since this is the divisor: a reader could not do it for less.
pub fn write_json(out: &mut String, p: &Person) {
    let login = p.login();
    let display = p.display_name();
    let mut put = |parts: &[&str]| parts.iter().for_each(|part| out.push_str(part));
    put(&["{\"schemas\":[\"", CORE, "\",\"", ENTERPRISE, "\"],\"externalId\":\"", &p.employee_id()]);
    put(&["\",\"userName\":\"", &login, "@example.org\",\"name\":{\"formatted\":\"", &display]);
    put(&[
        "\",\"familyName\":\"",
        p.last.text,
        "\",\"givenName\":\"",
        p.first.text,
        "\"},\"displayName\":\"",
        &display,
    ]);
    put(&["\",\"nickName\":\"", p.first.text, "\",\"title\":\"", &p.title(), "\",\"userType\":\"Employee\""]);
    put(&[
        ",\"preferredLanguage\":\"en\",\"timezone\":\"Europe/Zurich\",\"active\":true,\"emails\":[{\"type\":\"work\"",
    ]);
    put(&[
        ",\"value\":\"",
        &login,
        "@example.org\",\"primary\":true}],\"phoneNumbers\":[{\"type\":\"work\",\"value\":\"",
    ]);
    put(&[&p.phone_text(0), "\"},{\"type\":\"mobile\",\"value\":\"", &p.phone_text(1), "\"}],\"addresses\":[{"]);
    put(&[
        "\"type\":\"work\",\"locality\":\"",
        p.city.name,
        "\",\"country\":\"",
        p.city.country,
        "\"}],\"",
        ENTERPRISE,
    ]);
    put(&["\":{\"employeeNumber\":\"", &p.employee_id(), "\",\"costCenter\":\"", p.department.cost_center]);
    put(&["\",\"organization\":\"Example Group\",\"division\":\"", p.department.division, "\",\"department\":\""]);
    put(&[p.department.name, "\"}}"]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_valid_json_of_the_promised_size() {
        for i in 0..3_000 {
            let text = json_of(&Person::new(1, i));
            assert!((800..1_200).contains(&text.len()), "{} bytes", text.len());
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value["userName"], format!("{}@example.org", Person::new(1, i).login()));
        }
    }
}
