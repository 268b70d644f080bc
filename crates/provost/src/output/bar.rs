//! Progress of a cycle: a bar on a terminal, a line every few seconds otherwise, nothing for work that is over at once.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use provost_engine::progress::Progress;
use tokio::task::JoinHandle;

use super::{Output, duration, number};

const TICK: Duration = Duration::from_millis(150);
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows the progress until it is dropped.
pub struct Watch {
    task: JoinHandle<()>,
    bar: Option<ProgressBar>,
}

impl Watch {
    pub fn start(output: Output, label: String, progress: Arc<Progress>) -> Self {
        if !io::stderr().is_terminal() {
            return Self { task: tokio::spawn(lines(output, label, progress)), bar: None };
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_prefix(label);
        let task = tokio::spawn(draw(bar.clone(), progress));
        Self { task, bar: Some(bar) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

async fn draw(bar: ProgressBar, progress: Arc<Progress>) {
    let known = ProgressStyle::with_template("{prefix} {bar:32} {human_pos}/{human_len} {msg}");
    let unknown = ProgressStyle::with_template("{prefix} {spinner} {human_pos} {msg}");
    let start = Instant::now();
    let mut is_known = None;
    loop {
        let seen = Seen::now(&progress, start);
        let knows = seen.expected > 0;
        if is_known != Some(knows) {
            is_known = Some(knows);
            if let Ok(style) = if knows { &known } else { &unknown } {
                bar.set_style(style.clone());
            }
        }
        if knows {
            bar.set_length(seen.expected.max(seen.read));
        }
        bar.set_position(seen.read);
        bar.set_message(seen.rest());
        bar.tick();
        tokio::time::sleep(TICK).await;
    }
}

async fn lines(output: Output, label: String, progress: Arc<Progress>) {
    let start = Instant::now();
    loop {
        tokio::time::sleep(LINE_EVERY).await;
        let seen = Seen::now(&progress, start);
        let of = if seen.expected > 0 { format!(" of {}", number(seen.expected)) } else { String::new() };
        output.note(format_args!("{label}: {}{of} read, {}", number(seen.read), seen.rest()));
    }
}

/// The progress at one moment, in words.
struct Seen {
    read: u64,
    expected: u64,
    per_second: f64,
    written: u64,
    failed: u64,
}

impl Seen {
    fn now(progress: &Progress, start: Instant) -> Self {
        let counts = progress.counts();
        let seconds = start.elapsed().as_secs_f64().max(0.001);
        Self {
            read: counts.read,
            expected: progress.expected(),
            per_second: counts.read as f64 / seconds,
            written: counts.writes(),
            failed: counts.failed,
        }
    }

    /// `2,400/s, 16.0 s left, 11,000 written, 3 failed`.
    fn rest(&self) -> String {
        let mut text = format!("{}/s", number(self.per_second.round() as u64));
        if self.expected > self.read && self.per_second > 0.0 {
            let left_ms = (self.expected - self.read) as f64 / self.per_second * 1_000.0;
            text.push_str(&format!(", {} left", duration(left_ms as u64)));
        }
        text.push_str(&format!(", {} written", number(self.written)));
        if self.failed > 0 {
            text.push_str(&format!(", {} failed", number(self.failed)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_told_in_words() {
        let mut seen = Seen { read: 12_000, expected: 50_000, per_second: 2_400.0, written: 11_000, failed: 3 };
        assert_eq!(seen.rest(), "2,400/s, 15.8 s left, 11,000 written, 3 failed");
        seen = Seen { expected: 0, failed: 0, ..seen };
        assert_eq!(seen.rest(), "2,400/s, 11,000 written");
    }
}
