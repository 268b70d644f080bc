//! The bytes of a file, decoded to UTF-8 in pieces, with the doubts about it: is it a text file at all, in the encoding
//! that is configured, and did it stay the same while it was read.
//!
//! UTF-8 passes through unchecked; whoever builds a value checks it. In other encodings a sequence that cannot be decoded
//! becomes the byte [`MALFORMED`], which is no UTF-8 either, so both end in the same fault at the same place.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::time::SystemTime;

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use provost_connector::{CheckResult, ConnectorError, ErrorCode, Retry, Scope};
use provost_model::Timestamp;

use super::config::Config;
use super::shape::Format;

/// Stands for bytes that the encoding does not know.
pub(super) const MALFORMED: u8 = 0xff;

const CHUNK: usize = 64 << 10;

pub(super) struct Input {
    file: File,
    stamp: Stamp,
    pub encoding: &'static Encoding,
    is_binary: bool,
    /// Bytes of the byte order mark.
    pub bom: usize,
    decoder: Option<Decoder>,
    /// The decoder has seen its end and must not be asked again.
    decoded: bool,
    raw: Vec<u8>,
    raw_at: usize,
    raw_end: usize,
    raw_over: bool,
}

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    pub len: u64,
    pub modified: Option<SystemTime>,
    identity: (u64, u64),
}

impl Stamp {
    pub fn of(meta: &Metadata) -> Self {
        #[cfg(unix)]
        let identity = {
            use std::os::unix::fs::MetadataExt;
            (meta.dev(), meta.ino())
        };
        #[cfg(not(unix))]
        let identity = (0, 0);
        Self { len: meta.len(), modified: meta.modified().ok(), identity }
    }

    /// When the file changed, for people.
    pub fn changed(&self) -> String {
        let changed = self.modified.and_then(|time| Timestamp::try_from(time).ok());
        changed.map(|time| format!(", last changed {time:.0}")).unwrap_or_default()
    }

    /// Why the file that is there now is not the one that was seen, if so.
    pub fn difference(&self, now: &Stamp) -> Option<String> {
        if self.identity != now.identity {
            Some("was replaced".into())
        } else if self.len != now.len {
            Some(format!("changed ({} bytes before, {} bytes after)", self.len, now.len))
        } else if self.modified != now.modified {
            Some("changed".into())
        } else {
            None
        }
    }
}

impl Input {
    /// Opens the file and looks at its first bytes.
    pub fn open(config: &Config) -> Result<Self, ConnectorError> {
        let name = &config.file;
        let meta = std::fs::metadata(&config.path).map_err(|error| io_error(&error, "read", &config.path))?;
        // Before opening: a pipe would wait for its writer.
        if !meta.is_file() {
            let what = if meta.is_dir() { "a folder" } else { "no regular file" };
            return Err(ConnectorError::new(ErrorCode::Unreadable, format!("`{}` is {what}", config.path.display()))
                .hint("let `path` name a file")
                .at("path"));
        }
        let file = File::open(&config.path).map_err(|error| io_error(&error, "read", &config.path))?;
        let meta = file.metadata().map_err(|error| io_error(&error, "read", &config.path))?;
        let mut input = Self {
            file,
            stamp: Stamp::of(&meta),
            encoding: UTF_8,
            is_binary: config.format.is_binary(),
            bom: 0,
            decoder: None,
            decoded: false,
            raw: vec![0; CHUNK],
            raw_at: 0,
            raw_end: 0,
            raw_over: false,
        };
        while input.raw_end < CHUNK && !input.raw_over {
            input.read_raw().map_err(|error| io_error(&error, "read", &config.path))?;
        }
        if input.raw_end == 0 {
            let (what, hint) = config.format.empty();
            return Err(ConnectorError::new(ErrorCode::Unreadable, format!("{name} is empty{what}")).hint(hint));
        }
        if config.format.is_binary() {
            input.refuse_other_archives(config)?;
        } else {
            input.choose_encoding(config)?;
        }
        Ok(input)
    }

    /// What a check of the connection says of the file.
    pub fn describe(&self) -> CheckResult {
        let kind = if self.is_binary { String::new() } else { format!(" of {}", label(self.encoding)) };
        CheckResult::ok("file", format!("{} bytes{kind}{}", self.stamp.len, self.stamp.changed()))
    }

    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// Fills `out` as far as it goes; 0 at the end of the file. `out` has at least 16 bytes.
    pub fn fill(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let mut written = 0;
        while out.len() - written >= 16 && !self.decoded {
            if self.decoder.is_none() {
                // Past the first look, straight into the caller's buffer.
                if self.raw_at == self.raw_end {
                    return Ok(written + retry_interrupted(|| self.file.read(&mut out[written..]))?);
                }
                let take = (self.raw_end - self.raw_at).min(out.len() - written);
                out[written..written + take].copy_from_slice(&self.raw[self.raw_at..self.raw_at + take]);
                self.raw_at += take;
                written += take;
                continue;
            }
            if self.raw_at == self.raw_end && !self.raw_over {
                self.raw_at = 0;
                self.raw_end = 0;
                self.read_raw()?;
            }
            let Some(decoder) = &mut self.decoder else { continue };
            let room = out.len() - 1;
            let source = &self.raw[self.raw_at..self.raw_end];
            let (result, read, put) =
                decoder.decode_to_utf8_without_replacement(source, &mut out[written..room], self.raw_over);
            self.raw_at += read;
            written += put;
            match result {
                DecoderResult::InputEmpty => self.decoded = self.raw_over,
                DecoderResult::OutputFull => break,
                DecoderResult::Malformed(..) => {
                    out[written] = MALFORMED;
                    written += 1;
                }
            }
        }
        Ok(written)
    }

    /// Why what was read may not be one state of the file, asked at its end.
    pub fn disturbance(&self, path: &Path) -> Option<String> {
        let now = match self.file.metadata() {
            Ok(meta) => Stamp::of(&meta),
            Err(error) => return Some(format!("could not be looked at again: {error}")),
        };
        if let Some(difference) = self.stamp.difference(&now) {
            return Some(format!("{difference} while it was read"));
        }
        match std::fs::metadata(path) {
            Ok(meta) => {
                self.stamp.difference(&Stamp::of(&meta)).map(|difference| format!("{difference} while it was read"))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Some("was removed while it was read".into()),
            Err(error) => Some(format!("could not be looked at again: {error}")),
        }
    }

    /// Whether the file is the one that was opened, with more at its end.
    pub fn has_grown(&self, path: &Path) -> bool {
        let now = std::fs::metadata(path).map(|meta| Stamp::of(&meta));
        now.is_ok_and(|now| now.identity == self.stamp.identity && now.len > self.stamp.len)
    }

    fn read_raw(&mut self) -> std::io::Result<()> {
        let end = self.raw_end;
        let read = retry_interrupted(|| self.file.read(&mut self.raw[end..]))?;
        self.raw_end += read;
        self.raw_over = read == 0;
        Ok(())
    }

    fn refuse_other_archives(&self, config: &Config) -> Result<(), ConnectorError> {
        let start = &self.raw[..self.raw_end];
        let kind = match foreign_format(start) {
            _ if start.starts_with(b"PK\x03\x04") => return Ok(()),
            Some(kind) => kind,
            None => "something else",
        };
        let message = format!("{} is no {}: it looks like {kind}", config.file, config.format.title());
        Err(ConnectorError::new(ErrorCode::Unreadable, message)
            .hint("check what the export wrote; old .xls files and workbooks with a password are not read"))
    }

    fn choose_encoding(&mut self, config: &Config) -> Result<(), ConnectorError> {
        let start = &self.raw[..self.raw_end];
        let found = Encoding::for_bom(start);
        let unreadable = |message: String, hint: String| {
            Err(ConnectorError::new(ErrorCode::Unreadable, format!("{} {message}", config.file)).hint(hint))
        };
        let (encoding, bom) = match (config.encoding, found) {
            (None, None) if config.format == Format::Xml => (declared(start), 0),
            (None, None) => (UTF_8, 0),
            (None, Some((found, bom))) => (found, bom),
            (Some(set), None) => (set, 0),
            (Some(set), Some((found, bom))) if set == found => (found, bom),
            (Some(_), Some((found, bom))) if config.either_utf16 && found != UTF_8 => (found, bom),
            (Some(set), Some((found, _))) => {
                return unreadable(
                    format!("starts with the byte order mark of {}, but `encoding` is {}", label(found), label(set)),
                    format!("set encoding: {}, or leave `encoding` out", label(found)),
                );
            }
        };
        let text = &start[bom..];
        if let Some(kind) = foreign_format(text).filter(|kind| !config.format.looks_like(kind)) {
            return unreadable(
                format!("is no {}: it looks like {kind}", config.format.title()),
                "check what the export wrote; the source may have delivered an error page or another format".into(),
            );
        }
        let utf16 = encoding == UTF_16LE || encoding == UTF_16BE;
        if utf16 && bom == 0 && text.iter().take(256).all(|&byte| byte != 0 && byte.is_ascii()) {
            return unreadable(
                format!("looks like plain text, but `encoding` is {}", label(encoding)),
                "set encoding: utf-8".into(),
            );
        }
        if !utf16 {
            match zero_bytes(text) {
                Zeros::Few => {}
                Zeros::Utf16(guess) => {
                    let message = format!("looks like {} without a byte order mark", label(guess));
                    return unreadable(message, format!("set encoding: {}", label(guess)));
                }
                Zeros::Binary => {
                    return unreadable(
                        format!("is no {}: it looks like binary data", config.format.title()),
                        "check what the export wrote".into(),
                    );
                }
            }
        }
        self.encoding = encoding;
        self.bom = bom;
        self.raw_at = bom;
        self.decoder = (encoding != UTF_8).then(|| encoding.new_decoder_without_bom_handling());
        Ok(())
    }
}

/// The encoding's name in the spelling that the setting has.
pub(super) fn label(encoding: &'static Encoding) -> String {
    encoding.name().to_ascii_lowercase()
}

/// What a file with these first bytes is instead of delimited text.
fn foreign_format(start: &[u8]) -> Option<&'static str> {
    const MAGIC: [(&[u8], &str); 9] = [
        (b"PK\x03\x04", "a spreadsheet or zip archive"),
        (b"\xd0\xcf\x11\xe0", "an old Office file"),
        (b"%PDF", "a PDF document"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"BZh", "a bzip2 archive"),
        (b"\xfd7zXZ", "an xz archive"),
        (b"\x28\xb5\x2f\xfd", "a zstd archive"),
        (b"SQLite format 3", "an SQLite database"),
        (b"-----BEGIN PGP", "a PGP message"),
    ];
    if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Some(kind);
    }
    let text = start.trim_ascii_start();
    let begins = |word: &str| text.get(..word.len()).is_some_and(|have| have.eq_ignore_ascii_case(word.as_bytes()));
    if begins("<!doctype") || begins("<html") {
        Some("an HTML page")
    } else if begins("<?xml") {
        Some("XML")
    } else if begins("{") || (begins("[") && text[1..].trim_ascii_start().starts_with(b"{")) {
        Some("JSON")
    } else {
        None
    }
}

/// The encoding that an XML declaration names (XML 1.0 section 4.3.3); UTF-8 without one, or where it is not known.
fn declared(start: &[u8]) -> &'static Encoding {
    let end = start.iter().take(1024).position(|byte| *byte == b'>').unwrap_or(0);
    let text = std::str::from_utf8(&start[..end]).unwrap_or_default();
    let declared = text.strip_prefix("<?xml").and_then(|text| text.split_once("encoding")).map(|(_, rest)| rest);
    let value = declared.and_then(|rest| rest.trim_start().strip_prefix('=')).map(str::trim_start);
    let word = value.and_then(|value| value.split(['"', '\'']).nth(1));
    let found = word.and_then(|word| Encoding::for_label_no_replacement(word.as_bytes())).unwrap_or(UTF_8);
    // That this much could be read says that it is none of these.
    if found == UTF_16LE || found == UTF_16BE { UTF_8 } else { found }
}

enum Zeros {
    Few,
    Utf16(&'static Encoding),
    Binary,
}

fn zero_bytes(start: &[u8]) -> Zeros {
    let sample = &start[..start.len().min(4096)];
    let zeros = |from: usize| sample.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let control = sample.iter().filter(|byte| matches!(byte, 1..=8 | 0x0e..=0x1a | 0x1c..=0x1f)).count();
    let half = sample.len() / 2;
    if sample.len() >= 4 && odd * 10 > half * 3 && even * 20 < odd {
        Zeros::Utf16(UTF_16LE)
    } else if sample.len() >= 4 && even * 10 > half * 3 && odd * 20 < even {
        Zeros::Utf16(UTF_16BE)
    } else if (even + odd) * 10 > sample.len() || (control > 16 && control * 10 > sample.len()) {
        // Some unit and record separators are fine: they serve as delimiters.
        Zeros::Binary
    } else {
        Zeros::Few
    }
}

fn retry_interrupted(mut read: impl FnMut() -> std::io::Result<usize>) -> std::io::Result<usize> {
    loop {
        match read() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// An error of the operating system as the contract knows it; nothing was changed when it is returned.
pub(super) fn io_error(error: &std::io::Error, verb: &str, path: &Path) -> ConnectorError {
    let message = format!("cannot {verb} `{}`: {error}", path.display());
    match error.kind() {
        ErrorKind::NotFound => ConnectorError::new(ErrorCode::Unavailable, message)
            .hint("check `path`, and whether the export has run; relative paths start at the configuration's folder"),
        ErrorKind::PermissionDenied => {
            let mut denied = ConnectorError::new(ErrorCode::PermissionDenied, message)
                .scope(Scope::Job)
                .hint("give the account that runs Provost read rights, and write rights on the folder of a target");
            denied.retry = Retry::Backoff;
            denied
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            ConnectorError::new(ErrorCode::Unavailable, message).hint("make room on the disk; the old file is whole")
        }
        _ => ConnectorError::new(ErrorCode::Unavailable, message).hint("check the disk or network share"),
    }
}
