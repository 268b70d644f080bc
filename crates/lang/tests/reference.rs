//! `docs/functions.md` is what the table of functions says.

#[test]
fn the_reference_is_the_one_that_the_table_gives() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/functions.md");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let wanted = provost_lang::reference();
    let differs = committed.lines().zip(wanted.lines()).position(|(have, want)| have != want);
    assert!(
        committed == wanted,
        "docs/functions.md differs from the table at line {}; write it anew with \
         `cargo run -p provost-lang --example functions > docs/functions.md`",
        differs.map_or_else(|| committed.lines().count().min(wanted.lines().count()) + 1, |line| line + 1)
    );
}
