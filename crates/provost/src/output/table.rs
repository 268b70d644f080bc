//! Tables and the spelling of numbers, times and durations in them.

use comfy_table::presets;
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement};
use jiff::Timestamp;

/// Rows under a header, without lines: they can be read by people and cut by scripts.
pub struct Table(comfy_table::Table);

impl Table {
    pub fn new<const N: usize>(header: [&str; N]) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(header.map(|name| Cell::new(name.to_uppercase()).add_attribute(Attribute::Bold)));
        Self(table)
    }

    /// Numbers stand to the right.
    pub fn right(mut self, column: usize) -> Self {
        if let Some(column) = self.0.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        self
    }

    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.0.add_row(cells);
    }

    pub fn is_empty(&self) -> bool {
        self.0.row_count() == 0
    }

    pub(super) fn print(mut self, color: bool) -> String {
        // The library would ask the terminal by itself; `--color` decides.
        if color {
            self.0.enforce_styling();
        } else {
            self.0.force_no_tty();
        }
        let lines: Vec<String> = self.0.lines().map(|line| line.trim_end().to_owned()).collect();
        // The preset leaves one blank at the left of each row.
        let all_blank = lines.iter().all(|line| line.is_empty() || line.starts_with(' '));
        let lines = lines.iter().map(|line| if all_blank { line.strip_prefix(' ').unwrap_or(line) } else { line });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// `1,234,567`.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `850 ms`, `12.3 s`, `4 min 05 s`, `2 h 10 min`.
pub fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{:.1} s", ms as f64 / 1_000.0),
        60_000..3_600_000 => format!("{} min {:02} s", ms / 60_000, ms / 1_000 % 60),
        _ => format!("{} h {:02} min", ms / 3_600_000, ms / 60_000 % 60),
    }
}

/// RFC 3339 in UTC, to the second.
pub fn time(ms: i64) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Err(_) => ms.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_durations() {
        assert_eq!([number(0), number(999), number(1_000), number(1_234_567)], ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [duration(850), duration(12_345), duration(245_000), duration(7_800_000)],
            ["850 ms", "12.3 s", "4 min 05 s", "2 h 10 min"]
        );
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn tables_have_no_lines_and_no_trailing_blanks() {
        let mut table = Table::new(["action", "count"]).right(1);
        table.row(["create".into(), "7".into()]);
        table.row(["disable".into(), "1,200".into()]);
        assert_eq!(table.print(false), "ACTION   COUNT\ncreate       7\ndisable  1,200");
    }
}
