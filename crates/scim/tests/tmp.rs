#[test]
fn t() { 
    let r = std::panic::catch_unwind(|| { let _ = "aéé:x".parse::<provost_model::AttributePath>(); });
    println!("panics: {}", r.is_err());
    for t in ["emails[type ne \"x\"].value", "emails.value"] {
        let mut a: provost_model::Attributes = serde_json::from_str(r#"{"emails":[{"type":"work","value":"w"}]}"#).unwrap();
        t.parse::<provost_model::AttributePath>().unwrap().put(&mut a, "v".into());
        println!("{t}: {}", serde_json::to_string(&a).unwrap());
    }
}
