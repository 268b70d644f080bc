//! Problems as text: `error[CODE]: what`, the line with the part that is meant underlined, `hint: what to do`.

use std::io::{self, Write};

use provost_model::Severity;

use super::{Style, paint};
use crate::problem::{Place, Problem};

/// Longer lines are cut around what is underlined.
const WIDTH: usize = 110;

pub fn problem(out: &mut dyn Write, problem: &Problem, color: bool) -> io::Result<()> {
    let style = match problem.severity {
        Severity::Error => Style::Red,
        Severity::Warning => Style::Yellow,
    };
    let head = paint(color, style, format_args!("{}[{}]:", problem.severity.as_str(), problem.code));
    writeln!(out, "{head} {}", paint(color, Style::Bold, &problem.message))?;
    if let Some(place) = &problem.place {
        excerpt(out, place, color)?;
    }
    if let Some(hint) = &problem.hint {
        writeln!(out, "{} {hint}", paint(color, Style::Blue, "hint:"))?;
    }
    Ok(())
}

fn excerpt(out: &mut dyn Write, place: &Place, color: bool) -> io::Result<()> {
    let number = place.line.to_string();
    let margin = " ".repeat(number.len());
    let bar = paint(color, Style::Blue, "|");
    let arrow = paint(color, Style::Blue, "-->");
    writeln!(out, "{margin}{arrow} {}:{}:{}", place.file, place.line, place.column)?;
    let (text, start) = cut(&place.excerpt, place.underline().start);
    let shown = text.chars().count();
    let length = place.underline().len().min(shown.saturating_sub(start)).max(1);
    writeln!(out, "{margin} {bar}")?;
    writeln!(out, "{} {bar} {text}", paint(color, Style::Blue, &number))?;
    let carets = paint(color, Style::Red, "^".repeat(length));
    writeln!(out, "{margin} {bar} {}{carets}", " ".repeat(start))
}

/// The part of a line that fits, and where in it the underline begins. Tabs become blanks, to keep the columns.
fn cut(line: &str, start: usize) -> (String, usize) {
    let letters: Vec<char> = line.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if letters.len() <= WIDTH {
        return (letters.into_iter().collect(), start);
    }
    let from = start.saturating_sub(WIDTH / 3).min(letters.len() - WIDTH);
    let text: String = letters[from..from + WIDTH].iter().collect();
    match from {
        0 => (text, start),
        _ => (format!("…{text}"), start - from + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Source;

    fn render(problem_: Problem) -> String {
        let mut out = Vec::new();
        problem(&mut out, &problem_, false).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_problem_shows_its_line_and_hint() {
        let source = Source::new("provost.yaml", "jobs:\n  hr:\n    sorce: people\n");
        let problem = Problem::new("PRV-0104", "unknown key `sorce` in `jobs.hr`")
            .at(source.place(16..21))
            .hint("did you mean `source`?");
        assert_eq!(
            render(problem),
            "error[PRV-0104]: unknown key `sorce` in `jobs.hr`
 --> provost.yaml:3:5
  |
3 |     sorce: people
  |     ^^^^^
hint: did you mean `source`?
"
        );
    }

    #[test]
    fn long_lines_are_cut_around_the_underline() {
        let text = format!("{}HERE{}", "a".repeat(300), "b".repeat(300));
        let shown = render(Problem::new("PRV-0201", "x").at(Source::new("f", text).place(300..304)));
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[3].find("HERE").map(|at| lines[3][..at].chars().count()), lines[4].find("^^^^"));
        assert!(lines[3].chars().count() < 120);
    }
}
