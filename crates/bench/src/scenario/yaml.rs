//! The scenario files and their placeholders. They are compiled in, so that the binary runs from anywhere; the mappings
//! that all share are two parts of their own.

const INBOUND: &str = include_str!("../../scenarios/inbound.part.yaml");
const OUTBOUND: &str = include_str!("../../scenarios/outbound.part.yaml");

pub const INITIAL_CREATE: &str = include_str!("../../scenarios/initial-create.yaml");
pub const INITIAL_LOOKUP: &str = include_str!("../../scenarios/initial-lookup.yaml");
pub const INITIAL_LATENCY: &str = include_str!("../../scenarios/initial-latency.yaml");
pub const IMPORT: &str = include_str!("../../scenarios/import.yaml");
pub const REPEAT: &str = include_str!("../../scenarios/repeat.yaml");
pub const INCREMENTAL: &str = include_str!("../../scenarios/incremental.yaml");
pub const MEMORY: &str = include_str!("../../scenarios/memory.yaml");
pub const LEAVERS: &str = include_str!("../../scenarios/leavers.yaml");
pub const COUNTS: &str = include_str!("../../scenarios/counts.yaml");

/// A scenario file with its placeholders filled in.
#[must_use]
pub fn fill(template: &str, sink_url: &str, in_flight: usize) -> String {
    // A comment line may name a placeholder; only whole lines are replaced by a part.
    let mut out = String::with_capacity(8 << 10);
    for line in template.lines() {
        match line.trim() {
            "{{inbound}}" => out.push_str(INBOUND.trim_end()),
            "{{outbound}}" => out.push_str(OUTBOUND.trim_end()),
            _ if line.starts_with('#') => out.push_str(line),
            _ => out.push_str(&line.replace("{{sink}}", sink_url).replace("{{in_flight}}", &in_flight.to_string())),
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_filled_completely() {
        for template in [INITIAL_CREATE, INITIAL_LOOKUP, INITIAL_LATENCY, IMPORT, REPEAT, INCREMENTAL, MEMORY, COUNTS] {
            let text = fill(template, "http://127.0.0.1:1", 32);
            let open = text.lines().find(|l| l.contains("{{") && !l.starts_with('#'));
            assert_eq!(open, None, "{text}");
            assert!(
                text.contains("hr-to-directory:")
                    && text.contains("directory-to-app:")
                    && text.contains("http://127.0.0.1:1")
            );
        }
    }
}
