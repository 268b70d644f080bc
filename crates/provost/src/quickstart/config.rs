//! The configuration that the quickstart writes: a template with three places to fill in, commented for readers.
//!
//! `examples/hr-to-scim/provost.yaml` is the same text, rendered; a test keeps them alike.

/// `provost.yaml` with `{places}` that [`render`] fills.
const TEMPLATE: &str = include_str!("provost.yaml");

/// What differs between two quickstarts. Paths are relative to the configuration's folder, or absolute.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// The HR file.
    pub people: &'a str,
    /// The base address of the SCIM application.
    pub app_url: &'a str,
    /// The CSV file that accounts are exported to.
    pub accounts: &'a str,
}

/// The secret that the configuration expects to hold the application's token.
pub const APP_TOKEN: &str = "app-token";

/// The configuration as text.
pub fn render(places: &Places<'_>) -> String {
    let filled = [("{people}", places.people), ("{app_url}", places.app_url), ("{accounts}", places.accounts)];
    filled.into_iter().fold(TEMPLATE.to_owned(), |text, (place, value)| text.replace(place, &quoted(value)))
}

/// A JSON string, which is a YAML one whatever is in it.
fn quoted(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: Places<'_> =
        Places { people: "people.csv", app_url: "https://app.example.org/scim/v2", accounts: "accounts.csv" };

    #[test]
    fn the_example_is_the_template_rendered() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/hr-to-scim/provost.yaml");
        let rendered = render(&EXAMPLE);
        if std::env::var_os("PROVOST_BLESS").is_some() {
            std::fs::write(path, &rendered).unwrap();
        }
        let example = std::fs::read_to_string(path).unwrap();
        assert_eq!(example, rendered, "PROVOST_BLESS=1 writes {path} anew");
    }

    #[test]
    fn every_place_is_filled_with_anything() {
        let places = Places { people: "C:\\hr\\people of \"us\".csv", ..EXAMPLE };
        let text = render(&places);
        for place in ["{people}", "{app_url}", "{accounts}"] {
            assert!(TEMPLATE.contains(place) && !text.contains(place), "{place}");
        }
        assert!(text.contains("path: \"C:\\\\hr\\\\people of \\\"us\\\".csv\""));
        assert!(text.contains(&format!("secret: {APP_TOKEN}")));
    }
}
