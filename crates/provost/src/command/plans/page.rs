//! A plan as a page that anybody can open: no script, nothing loaded from anywhere.

use std::borrow::Cow;
use std::io::Write;

use provost_store::EventRow;

use super::export::Format;
use super::log::Event;
use super::{Summary, words};
use crate::command::trace::whole;
use crate::error::Result;

const STYLE: &str = "body{font:15px/1.4 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222}\
h1{font-size:1.4rem}table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ddd;padding:.3rem .5rem;\
text-align:left;vertical-align:top}td td{border:0;padding:0 .5rem 0 0}.create,.enable{color:#0a6b2d}\
.disable,.delete{color:#a1111a;font-weight:600}.update{color:#7a5200}.dim{color:#666}del{color:#a1111a}ins{color:#0a6b2d;\
text-decoration:none}@media print{body{margin:0;max-width:none}}";

pub struct Page;

impl Format for Page {
    fn head(&mut self, out: &mut dyn Write, plan: &Summary) -> Result<()> {
        let Summary { plan: id, job, made, state, note, operations, exceptions: _ } = plan;
        write!(
            out,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Plan for {job}</title>\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
             <style>{STYLE}</style></head><body>\n<h1>Plan for {job}</h1>\n<p>{} · made {made} · {state}</p>\n",
            escape(&words(operations)),
            job = escape(job),
            state = escape(state),
        )?;
        if let Some(note) = note {
            writeln!(out, "<p>{}</p>", escape(note))?;
        }
        writeln!(out, "<p class=\"dim\">plan {}</p>", escape(id))?;
        Ok(writeln!(out, "<table><thead><tr><th>Action<th>Who<th>Why<th>Changes</tr></thead><tbody>")?)
    }

    fn operation(&mut self, out: &mut dyn Write, event: EventRow) -> Result<()> {
        let name = if event.name.is_empty() { event.source_id.as_str() } else { &event.name };
        write!(
            out,
            "<tr><td class=\"{0}\">{0}<td>{1}<br><span class=\"dim\">{2} {3}</span><td>{4}<td>",
            escape(&event.action),
            escape(name),
            escape(&event.class),
            escape(&event.source_id),
            escape(&event.reason),
        )?;
        let changes = Event::changes_of(&event);
        if !changes.is_empty() {
            write!(out, "<table>")?;
            for change in changes {
                let before = change.before.as_ref().map(|before| whole(Some(before)));
                let after = change.after.as_ref().map(|after| whole(Some(after)));
                let (before, after) = if change.op == "remove" { (after, None) } else { (before, after) };
                write!(out, "<tr><td>{}<td>", escape(&change.path))?;
                if let Some(before) = before {
                    write!(out, "<del>{}</del> ", escape(&before))?;
                }
                if let Some(after) = after {
                    write!(out, "<ins>{}</ins>", escape(&after))?;
                }
            }
            write!(out, "</table>")?;
        }
        Ok(writeln!(out, "</tr>")?)
    }

    fn tail(&mut self, out: &mut dyn Write) -> Result<()> {
        Ok(writeln!(out, "</tbody></table>\n</body></html>")?)
    }
}

fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn names_are_text() {
        assert_eq!(escape("<b>'A' & \"B\"</b>"), "&lt;b&gt;&#39;A&#39; &amp; &quot;B&quot;&lt;/b&gt;");
        assert_eq!(escape("Ada"), "Ada");
    }
}
