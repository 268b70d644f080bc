//! Prints the reference of all functions: `cargo run -p provost-lang --example functions > docs/functions.md`.
#![expect(clippy::print_stdout, reason = "it prints a page")]

fn main() {
    print!("{}", provost_lang::reference());
}
