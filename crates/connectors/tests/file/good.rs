//! Files as they should be, in all the forms that exports have.

use serde_json::json;

use crate::support::read;

const TWO: &str = "1 {\"id\":\"1\",\"name\":\"Ada\"}\n2 {\"id\":\"2\",\"name\":\"Zoë\"}\ncomplete 2";

#[tokio::test]
async fn delimiters_and_line_ends() {
    for (name, settings, content) in [
        ("a.csv", json!({}), "id,name\n1,Ada\n2,Zoë\n"),
        ("a.csv", json!({}), "id,name\r\n1,Ada\r\n2,Zoë\r\n"),
        ("a.csv", json!({}), "id,name\r1,Ada\r2,Zoë\r"),
        ("a.csv", json!({}), "\n\nid,name\n\n1,Ada\n\r\n2,Zoë\n\n\n"),
        ("a.csv", json!({}), "\"id\",\"name\"\n\"1\",\"Ada\"\n\"2\",\"Zoë\"\n"),
        ("a.csv", json!({}), " id , name\n1,Ada\n2,Zoë\n,\n"),
        ("a.csv", json!({"delimiter": ";"}), "id;name\n1;Ada\n2;Zoë\n"),
        ("a.csv", json!({"delimiter": "auto"}), "id;name\n1;Ada\n2;Zoë\n"),
        ("a.csv", json!({"delimiter": "auto"}), "\"id\"|\"name\"\n1|Ada\n2|Zoë\n"),
        ("a.csv", json!({"delimiter": "tab"}), "id\tname\n1\tAda\n2\tZoë\n"),
        ("a.csv", json!({"delimiter": "\u{1f}"}), "id\u{1f}name\n1\u{1f}Ada\n2\u{1f}Zoë\n"),
        ("a.TSV", json!({}), "id\tname\n1\tAda\n2\tZoë\n"),
        ("a.csv", json!({"quote": "'"}), "id,name\n'1','Ada'\n2,Zoë\n"),
        ("a.csv", json!({"trim": true}), "id,name\n1 , \"Ada\" \n 2,Zoë\n"),
        ("a.csv", json!({"header": false, "columns": ["id", "name"]}), "1,Ada\n2,Zoë\n"),
        ("a.csv", json!({"final_newline": "optional"}), "id,name\n1,Ada\n2,Zoë"),
        ("a.csv", json!({"key": "ID"}), "id,name\n1,Ada\n2,Zoë\n"),
        ("a.csv", json!({"columns": {"Full Name": "name"}}), "id,Full Name\n1,Ada\n2,Zoë\n"),
        // A name that is missing leaves its column out.
        ("a.csv", json!({}), "id,name,\n1,Ada,x\n2,Zoë,\n"),
        ("a.csv", json!({"connector": "file", "class": "Person"}), "id,name\n1,Ada\n2,Zoë\n"),
    ] {
        assert_eq!(read(name, settings.clone(), content).await, TWO, "{settings} {content:?}");
    }
}

#[tokio::test]
async fn encodings() {
    let text = "id,name\n1,Ada\n2,Zoë\n";
    let utf16 = |order: fn(u16) -> [u8; 2], mark: &str| -> Vec<u8> {
        format!("{mark}{text}").encode_utf16().flat_map(order).collect()
    };
    let latin: Vec<u8> = text.chars().map(|c| c as u8).collect();
    for (settings, content) in [
        (json!({}), text.as_bytes().to_vec()),
        (json!({}), format!("\u{feff}{text}").into_bytes()),
        (json!({"encoding": "UTF-8"}), format!("\u{feff}{text}").into_bytes()),
        (json!({"encoding": "windows-1252"}), latin.clone()),
        (json!({"encoding": "iso-8859-1"}), latin),
        (json!({}), utf16(u16::to_le_bytes, "\u{feff}")),
        (json!({}), utf16(u16::to_be_bytes, "\u{feff}")),
        (json!({"encoding": "utf-16"}), utf16(u16::to_be_bytes, "\u{feff}")),
        (json!({"encoding": "utf-16le"}), utf16(u16::to_le_bytes, "")),
        (json!({"encoding": "utf-16be"}), utf16(u16::to_be_bytes, "")),
    ] {
        assert_eq!(read("a.csv", settings.clone(), &content).await, TWO, "{settings} {content:?}");
    }
}

#[tokio::test]
async fn cells() {
    for (settings, content, expected) in [
        // An empty cell is known to be empty.
        (json!({}), "id,a,b\n1,,\"\"\n", r#"1 {"id":"1","a":null,"b":null}"#),
        (
            json!({"null_values": ["NULL", "n/a"]}),
            "id,a,b,c\n1,NULL,n/a,null\n",
            r#"1 {"id":"1","a":null,"b":null,"c":"null"}"#,
        ),
        (json!({}), "id,a,b\n1,\"x, \"\"y\"\"\", z \n", r#"1 {"id":"1","a":"x, \"y\"","b":" z "}"#),
        (json!({}), "id,a\n1,\"two\r\nlines\"\n", r#"1 {"id":"1","a":"two\r\nlines"}"#),
        (json!({}), "id,a\n1,x\"y\"\n", r#"1 {"id":"1","a":"x\"y\""}"#),
        (json!({"quote": "none"}), "id,a\n1,\"x\n", r#"1 {"id":"1","a":"\"x"}"#),
        (json!({"trim": true, "null_values": ["-"]}), "id,a,b\n 1, - , x y \n", r#"1 {"id":"1","a":null,"b":"x y"}"#),
        (
            json!({"references": {"manager": "person"}}),
            "id,manager\n1,7\n2,\n",
            "1 {\"id\":\"1\",\"manager\":{\"ref\":{\"class\":\"person\",\"id\":\"7\"}}}\n2 {\"id\":\"2\",\"manager\":null}",
        ),
        (
            json!({"multi": {"groups": ";"}, "references": {"GROUPS": "group"}}),
            "id,groups\n1,7;;8\n2,\n3,;\n",
            "1 {\"id\":\"1\",\"groups\":[{\"ref\":{\"class\":\"group\",\"id\":\"7\"}},{\"ref\":{\"class\":\"group\",\"id\":\"8\"}}]}\n\
             2 {\"id\":\"2\",\"groups\":null}\n3 {\"id\":\"3\",\"groups\":null}",
        ),
        (json!({"multi": {"a": ", "}}), "id,a\n1,\"x, y\"\n", r#"1 {"id":"1","a":["x","y"]}"#),
        (json!({"key": ["site", "id"]}), "id,site\na|b,x\\y\n", r#"x\\y|a\|b {"id":"a|b","site":"x\\y"}"#),
        (
            json!({"formula_guard": true}),
            "id,a\n'-1,'=1\n2,'x\n",
            "-1 {\"id\":\"-1\",\"a\":\"=1\"}\n2 {\"id\":\"2\",\"a\":\"'x\"}",
        ),
    ] {
        let found = read("a.csv", settings.clone(), content).await;
        let count = expected.lines().count();
        assert_eq!(found, format!("{expected}\ncomplete {count}"), "{settings} {content:?}");
    }
}

#[tokio::test]
async fn only_a_header_is_a_complete_read_of_nobody() {
    assert_eq!(read("a.csv", json!({}), "id,name\n").await, "complete 0");
}

#[tokio::test]
async fn ten_thousand_columns() {
    let mut content = String::from("id");
    (1..10_000).for_each(|n| content.push_str(&format!(",column {n}")));
    for id in 0..20 {
        content.push_str(&format!("\n{id}"));
        (1..10_000).for_each(|n| content.push_str(&format!(",{}", n * id)));
    }
    content.push('\n');
    let found = read("a.csv", json!({}), content).await;
    assert!(found.ends_with("complete 20"), "{}", &found[found.len() - 200..]);
    assert!(found.contains(",\"column 9999\":\"189981\"}"));
}

/// Rows and cells around every boundary of the buffers.
#[tokio::test]
async fn cells_of_every_length_across_the_buffers() {
    let mut content = String::from("id,a,b\r\n");
    let mut expected = String::new();
    for id in 0..400 {
        let long = "ä\"\r\n".repeat(id * 7);
        content.push_str(&format!("{id},\"{}\",x\r\n", long.replace('"', "\"\"")));
        let json = if long.is_empty() { json!(null) } else { json!(long) };
        expected.push_str(&format!("{id} {{\"id\":\"{id}\",\"a\":{json},\"b\":\"x\"}}\n"));
    }
    assert_eq!(read("a.csv", json!({}), &content).await, format!("{expected}complete 400"));
    let utf16: Vec<u8> = format!("\u{feff}{content}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(read("a.csv", json!({}), utf16).await, format!("{expected}complete 400"));
}
