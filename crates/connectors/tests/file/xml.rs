//! XML, which is read only.

use provost_connector::{Connector, Context, ScanRequest};
use provost_connectors::file::FileConnector;
use serde_json::{Value as Json, json};

use crate::support::{Place, digests, read, request, shown};

fn settings(more: Json) -> Json {
    let mut settings = json!({
        "record": "people/person",
        "columns": {"@no": "id", "name/first": "first", "mail": "mails", "boss/@ref": "boss"},
    });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings
}

const TWO: &str = "<?xml version=\"1.0\"?>\n<!-- x --><h:people xmlns:h=\"urn:hr\">\n <h:person no=\"1\">\n  <name><first>Zoë &lt;&amp;&#x1F600; \
    <![CDATA[]]]]><![CDATA[>]]></first></name>\n  <mail>a@x</mail><mail> b@x</mail><boss ref=\"2\"/>\n </h:person>\n \
    <person no=\"2\"><name/><mail></mail></person>\n</h:people>\n";

#[tokio::test]
async fn elements_are_records() {
    let found = read("a.xml", settings(json!({"references": {"boss": "person"}})), TWO).await;
    assert_eq!(
        found,
        "1 {\"id\":\"1\",\"boss\":{\"ref\":{\"class\":\"person\",\"id\":\"2\"}},\"mails\":[\"a@x\",\" b@x\"],\"first\":\"Zoë <&😀 ]]>\"}\n\
         2 {\"id\":\"2\",\"boss\":null,\"mails\":null,\"first\":null}\ncomplete 2"
    );
    let latin: Vec<u8> =
        TWO.replace("version=\"1.0\"", "version='1.0' encoding='ISO-8859-1'").chars().map(|c| c as u8).collect();
    let found = read("a.xml", settings(json!({"trim": true, "multi": ["mails", "first"]})), latin).await;
    assert!(found.contains("\"mails\":[\"a@x\",\"b@x\"]") && found.contains("\"first\":[\"Zoë <&😀 ]]>\"]"), "{found}");
    let utf16: Vec<u8> = format!("\u{feff}{TWO}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(read("a.xml", settings(json!({})), utf16).await.ends_with("complete 2"));
    assert_eq!(read("a.xml", settings(json!({})), "<people/>").await, "complete 0");
    let own = json!({"record": "a", "columns": {".": "id"}});
    assert_eq!(read("a.xml", own, "<a>x<b>y</b></a>").await, "x {\"id\":\"x\"}\ncomplete 1");
    let nil = "<people><person no='1'><mail xmlns:x='http://www.w3.org/2001/XMLSchema-instance' x:nil='true'/></person></people>";
    assert!(read("a.xml", settings(json!({})), nil).await.contains("\"mails\":null"));
}

#[tokio::test]
async fn documents_that_are_not_read() {
    let deep = format!("<people>{}{}</people>", "<a>".repeat(500), "</a>".repeat(500));
    let deeper = format!("<people>{}", "<a>".repeat(200_000));
    let laughs = "<?xml version='1.0'?><!DOCTYPE p [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]><people>&b;</people>";
    let fetch = "<?xml version='1.0'?><!DOCTYPE p [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><people>&x;</people>";
    for (content, expected) in [
        ("", "a.xml is empty [export it again; a document without people still has its root element]"),
        (&TWO[..TWO.len() - 4], "a.xml is no whole XML document: "),
        (&TWO[..TWO.len() - 30], "a.xml is no whole XML document: its root element is not closed"),
        (laughs, "a.xml has a document type (DTD), which is not read"),
        (fetch, "a.xml has a document type (DTD), which is not read"),
        (&deep, "a.xml nests elements more than 200 deep"),
        (&deeper, "a.xml is no whole XML document: "),
        ("<people>&nbsp;</people>", "a.xml is no whole XML document: an entity is not known, line 1"),
        ("<error>try later</error>", "a.xml has no element `people` [check `record`"),
        ("<people a='1' a='2'/>", "a.xml is no whole XML document: an element has an attribute twice"),
        ("<html><body/></html>", "a.xml is no XML document: it looks like an HTML page"),
        ("PK\x03\x04", "a.xml is no XML document: it looks like a spreadsheet or zip archive"),
    ] {
        let found = read("a.xml", settings(json!({})), content).await;
        assert!(found.starts_with(&format!("Unreadable: {expected}")), "found    {found}\nexpected {expected}");
    }
    let found = read("a.xml", settings(json!({})), b"<people><person no='\xe4'/></people>").await;
    assert!(found.starts_with("Unreadable: a.xml holds bytes that its encoding does not know"), "{found}");
}

#[tokio::test]
async fn records_that_cannot_be_read() {
    let long = "x".repeat(70_000);
    let content = format!(
        "<people>\n<person no='1'/>\n<person no='1'/>\n<person/>\n<person no='3'><mail><x/></mail></person>\n\
         <person no='4'><mail>{long}</mail></person>\n</people>"
    );
    let found = read("a.xml", settings(json!({})), content).await;
    let faults: Vec<&str> = found.lines().filter(|line| line.starts_with('!')).collect();
    let starts = [
        "! a.xml:3 (1) Constraint: line 3 has the key of line 2 again",
        "! a.xml:4 MissingRequired: the key `id` has no single value",
        "! a.xml:5:3 InvalidValue: `mails` holds elements and no text alone",
        "! a.xml:6:3 InvalidValue: `mails` has 70000 bytes, more than 65536",
    ];
    assert_eq!(faults.len(), starts.len(), "{found}");
    faults.iter().zip(starts).for_each(|(found, start)| assert!(found.starts_with(start), "{found}\n{start}"));
}

#[tokio::test]
async fn settings_schema_and_digests() {
    let place = Place::new("a.xml", TWO);
    for (settings, expected) in [
        (json!({"columns": {"@no": "id"}}), "record: `record` has to be the path"),
        (json!({"record": "a/@b", "columns": {"@no": "id"}}), "record: `record` has to be the path"),
        (json!({"record": "a"}), "columns: an XML file needs `columns`"),
        (settings(json!({"columns": {"a//b": "id"}})), "columns: `a//b` is no path"),
        (settings(json!({"key": "no"})), "key: `columns` has no `no`"),
        (settings(json!({"write": true})), "write: `write` has no meaning for format: xml"),
    ] {
        let problems = FileConnector::default().validate(&place.settings(settings.clone()));
        let shown: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.path, p.message)).collect();
        assert!(shown[0].starts_with(expected), "{settings}\nfound    {shown:?}\nexpected {expected}");
    }
    let session = place.session(settings(json!({}))).await;
    let schema = session.schema(&Context::new("test")).await.unwrap();
    let class = &schema.classes[0];
    assert!(!class.open && class.attributes.len() == 4 && class.attribute("mails").unwrap().multi_valued);
    let known = std::sync::Arc::new(digests(&*session).await);
    let asked = ScanRequest { known: Some(known), ..request() };
    // Another record and other lines change no record.
    std::fs::write(place.path(), TWO.replace("<!-- x -->", "\n\n<!-- x -->").replace("<name/>", "<name></name>"))
        .unwrap();
    let found = shown(&*session, asked).await;
    assert!(found.starts_with("= 1\n2 {"), "{found}");
}
