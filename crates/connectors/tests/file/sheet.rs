//! Spreadsheets, which are read only: XLSX as a writer of others makes it, ODS by hand after its standard.

use std::io::{Cursor, Write};

use provost_connector::{Connector, Context, ScanRequest};
use provost_connectors::file::FileConnector;
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook};
use serde_json::{Value as Json, json};

use crate::support::{Place, digests, read, request, shown};

fn workbook() -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("People").unwrap();
    let date = Format::new().set_num_format("yyyy-mm-dd");
    let time = Format::new().set_num_format("yyyy-mm-dd hh:mm:ss");
    for (column, name) in ["id", "Full Name", "hired", "seen", "n", "ok", "groups", "boss"].iter().enumerate() {
        sheet.write(2, column as u16, *name).unwrap();
    }
    sheet.write(3, 0, 7).unwrap();
    sheet.write(3, 1, " Zoë \"Z\" <&> 😀\nline ").unwrap();
    sheet.write_with_format(3, 2, ExcelDateTime::from_ymd(2026, 1, 31).unwrap(), &date).unwrap();
    let seen = ExcelDateTime::from_ymd(2026, 1, 31).unwrap().and_hms(8, 30, 5).unwrap();
    sheet.write_with_format(3, 3, seen, &time).unwrap();
    sheet.write(3, 4, 1.5).unwrap();
    sheet.write(3, 5, true).unwrap();
    sheet.write(3, 6, "a;b").unwrap();
    sheet.write(3, 7, 8).unwrap();
    sheet.write(6, 0, "008").unwrap();
    sheet.write(6, 4, 12_345_678_901_i64).unwrap();
    sheet.write_formula(6, 1, Formula::new("=1+1").set_result("2")).unwrap();
    let other = book.add_worksheet().set_name("Other").unwrap();
    other.write(0, 0, "id").unwrap();
    other.write(1, 0, "x").unwrap();
    other.write(2, 0, "y").unwrap();
    other.write_formula(2, 1, Formula::new("=1/0").set_result("#DIV/0!")).unwrap();
    book.add_worksheet().set_name("Empty").unwrap();
    book.save_to_buffer().unwrap()
}

fn settings(more: Json) -> Json {
    let mut settings = json!({
        "columns": {"Full Name": "name"}, "multi": {"groups": ";"}, "references": {"boss": "person"},
    });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings
}

#[tokio::test]
async fn a_workbook() {
    let book = workbook();
    let eight = "008 {\"id\":\"008\",\"name\":\"2\",\"hired\":null,\"seen\":null,\"n\":\"12345678901\",\"ok\":null,\"groups\":null,\"boss\":null}";
    assert_eq!(
        read("a.xlsx", settings(json!({})), &book).await,
        format!(
            "7 {{\"id\":\"7\",\"name\":\" Zoë \\\"Z\\\" <&> 😀\\nline \",\"hired\":\"2026-01-31\",\"seen\":\"2026-01-31T08:30:05\",\
             \"n\":\"1.5\",\"ok\":\"true\",\"groups\":[\"a\",\"b\"],\"boss\":{{\"ref\":{{\"class\":\"person\",\"id\":\"8\"}}}}}}\n\
             {eight}\ncomplete 2"
        )
    );
    let place = Place::new("people.bin", &book);
    let session = place.session(settings(json!({"format": "xlsx", "sheet": "People"}))).await;
    let known = std::sync::Arc::new(digests(&*session).await);
    assert_eq!(shown(&*session, ScanRequest { known: Some(known), ..request() }).await, "= 7\n= 008\ncomplete 2");
    let schema = session.schema(&Context::new("test")).await.unwrap();
    let class = &schema.classes[0];
    assert!(!class.open && class.attributes.len() == 8 && class.attribute("groups").unwrap().multi_valued);
    let checks = session.test(&Context::new("test")).await;
    let checks: Vec<_> = checks.iter().map(|check| format!("{} {}", check.name, check.message)).collect();
    assert_eq!(checks[1..], ["sheet `People`, 8 columns, 2 rows", "key id", "rows the first 2 can be read"]);
    let other = read("a.xlsx", json!({"sheet": "Other"}), &book).await;
    assert_eq!(
        other,
        "x {\"id\":\"x\"}\n! a.xlsx:3:2 (y) InvalidValue: the row has a value beyond the header [give the column a name]\ncomplete 2"
    );
}

#[tokio::test]
async fn workbooks_that_are_not_read() {
    let book = workbook();
    for (settings, content, expected) in [
        (json!({}), &book[..0], "Unreadable: a.xlsx is empty [export it again; a sheet without people"),
        (json!({}), &book[..book.len() - 30], "Unreadable: a.xlsx is no whole Excel workbook [it may be cut short"),
        (json!({}), &book[..2000], "Unreadable: a.xlsx is no whole Excel workbook"),
        (json!({}), b"id,a\n1,x\n".as_slice(), "Unreadable: a.xlsx is no Excel workbook: it looks like something else"),
        (
            json!({}),
            b"\xd0\xcf\x11\xe0rest",
            "Unreadable: a.xlsx is no Excel workbook: it looks like an old Office file",
        ),
        (
            json!({"sheet": "Peple"}),
            &book,
            "SchemaChanged: a.xlsx has no sheet `Peple`; its sheets are People, Other, Empty [did you mean",
        ),
        (json!({"sheet": "Empty"}), &book, "Unreadable: a.xlsx: the sheet `Empty` is empty, not even a header"),
        (
            json!({"key": "no"}),
            &book,
            "SchemaChanged: a.xlsx has no column `no`; row 3 of the sheet `People` is id, Full Name",
        ),
    ] {
        let found = read("a.xlsx", settings.clone(), content).await;
        assert!(found.starts_with(expected), "{settings}\nfound    {found}\nexpected {expected}");
    }
    // A part whose sum is wrong.
    let mut bad = book.clone();
    let middle = bad.len() / 2;
    bad[middle..middle + 40].iter_mut().for_each(|byte| *byte ^= 0x55);
    assert!(read("a.xlsx", json!({}), &bad).await.starts_with("Unreadable: a.xlsx is no whole Excel workbook"));
    let place = Place::empty("a.xlsx");
    let problems = FileConnector::default().validate(&place.settings(json!({"write": true})));
    assert_eq!(problems[0].message, "`write` has no meaning for format: xlsx");
}

fn ods(rows: &str) -> Vec<u8> {
    let content = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><office:document-content \
         xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" \
         xmlns:table=\"urn:oasis:names:tc:opendocument:xmlns:table:1.0\" \
         xmlns:text=\"urn:oasis:names:tc:opendocument:xmlns:text:1.0\" office:version=\"1.2\"><office:body><office:spreadsheet>\
         <table:table table:name=\"People\">{rows}</table:table></office:spreadsheet></office:body></office:document-content>"
    );
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file("mimetype", stored).unwrap();
    archive.write_all(b"application/vnd.oasis.opendocument.spreadsheet").unwrap();
    archive.start_file("META-INF/manifest.xml", stored).unwrap();
    let space = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0";
    write!(archive, "<?xml version=\"1.0\"?><manifest:manifest xmlns:manifest=\"{space}\"/>").unwrap();
    archive.start_file("content.xml", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(content.as_bytes()).unwrap();
    archive.finish().unwrap().into_inner()
}

fn text(value: &str) -> String {
    format!("<table:table-cell office:value-type=\"string\"><text:p>{value}</text:p></table:table-cell>")
}

#[tokio::test]
async fn an_open_document() {
    let rows = format!(
        "<table:table-row table:number-rows-repeated=\"2\"><table:table-cell/></table:table-row>\
         <table:table-row>{}{}{}</table:table-row>\
         <table:table-row><table:table-cell office:value-type=\"float\" office:value=\"7\"><text:p>7,00</text:p></table:table-cell>\
         <table:table-cell office:value-type=\"date\" office:date-value=\"2026-01-31\"><text:p>31.1.</text:p></table:table-cell>\
         <table:table-cell office:value-type=\"boolean\" office:boolean-value=\"true\"><text:p>WAHR</text:p></table:table-cell>\
         <table:table-cell table:number-columns-repeated=\"16381\"/></table:table-row>\
         <table:table-row>{}<table:table-cell/>{}</table:table-row>\
         <table:table-row table:number-rows-repeated=\"1048570\"><table:table-cell table:number-columns-repeated=\"16384\"/></table:table-row>",
        text("id"),
        text("hired"),
        text("ok"),
        text("008"),
        text("Zoë &lt;&amp;"),
    );
    assert_eq!(
        read("a.ods", json!({}), ods(&rows)).await,
        "7 {\"id\":\"7\",\"hired\":\"2026-01-31\",\"ok\":\"true\"}\n008 {\"id\":\"008\",\"hired\":null,\"ok\":\"Zoë <&\"}\ncomplete 2"
    );
    let whole = ods(&rows);
    let found = read("a.ods", json!({}), &whole[..whole.len() - 10]).await;
    assert!(found.starts_with("Unreadable: a.ods is no whole OpenDocument spreadsheet"), "{found}");
    // A thousand bytes that say "this row a million times".
    let cells = text("x").replace("<table:table-cell ", "<table:table-cell table:number-columns-repeated='16000' ");
    let bomb = format!("<table:table-row table:number-rows-repeated=\"1000000\">{cells}</table:table-row>");
    let found = read("a.ods", json!({}), ods(&bomb)).await;
    assert!(found.starts_with("Unreadable: a.ods repeats cells beyond measure"), "{found}");
}

#[tokio::test]
async fn a_sheet_with_two_far_corners_costs_two_cells() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write(0, 0, "id").unwrap();
    sheet.write(1_048_575, 0, "last").unwrap();
    sheet.write(1_048_575, 16_383, "far").unwrap();
    let found = read("a.xlsx", json!({}), book.save_to_buffer().unwrap()).await;
    assert!(
        found.starts_with("! a.xlsx:1048576:16384 (last) InvalidValue: the row has a value beyond the header"),
        "{found}"
    );
}
