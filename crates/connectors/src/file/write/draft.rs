//! The new version of a file until it is whole: a temporary file in the same folder, in the file's encoding.

use std::fs::{File, Metadata};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use provost_connector::{ConnectorError, ErrorCode, Retry, Scope};
use tempfile::NamedTempFile;

use super::super::input::{io_error, label};

pub(in crate::file) struct Draft {
    out: BufWriter<NamedTempFile>,
    pub encoding: &'static Encoding,
    path: PathBuf,
    /// Whether any text was written.
    pub begun: bool,
    /// Fails once so many bytes are written, as a full disk does.
    #[cfg(test)]
    pub room: Option<usize>,
}

impl Draft {
    /// Begins a draft for the file at `path`; drafts that a killed process left are removed. The caller holds the lock.
    pub fn new(path: &Path, encoding: &'static Encoding) -> Result<Self, ConnectorError> {
        let folder = super::folder(path);
        let prefix = format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy());
        remove_leftovers(&folder, &prefix);
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".draft");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // Personal data: for the owner and, as the umask allows, the group. An existing file keeps its own mode.
            builder.permissions(std::fs::Permissions::from_mode(0o640));
        }
        let file = builder.tempfile_in(&folder).map_err(|error| io_error(&error, "write to", &folder))?;
        Ok(Self {
            out: BufWriter::with_capacity(256 << 10, file),
            encoding,
            path: path.to_owned(),
            begun: false,
            #[cfg(test)]
            room: None,
        })
    }

    pub fn byte_order_mark(&mut self) -> Result<(), ConnectorError> {
        let mark: &[u8] = match self.encoding {
            encoding if encoding == UTF_16LE => b"\xff\xfe",
            encoding if encoding == UTF_16BE => b"\xfe\xff",
            encoding if encoding == UTF_8 => b"\xef\xbb\xbf",
            _ => b"",
        };
        self.put(mark)
    }

    /// Writes decoded text. UTF-8 goes through as it is, also where it is broken.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ConnectorError> {
        self.begun |= !bytes.is_empty();
        if self.encoding == UTF_8 {
            return self.put(bytes);
        }
        let lossy = || {
            let message = format!("a row of `{}` cannot be copied as {}", self.path.display(), label(self.encoding));
            ConnectorError::new(ErrorCode::Unreadable, message)
                .hint("repair the row that a scan reports, or set `encoding`")
        };
        let text = std::str::from_utf8(bytes).map_err(|_| lossy())?;
        if self.encoding == UTF_16LE || self.encoding == UTF_16BE {
            let order = if self.encoding == UTF_16LE { u16::to_le_bytes } else { u16::to_be_bytes };
            let units: Vec<u8> = text.encode_utf16().flat_map(order).collect();
            return self.put(&units);
        }
        let (encoded, _, unmappable) = self.encoding.encode(text);
        if unmappable {
            return Err(lossy());
        }
        self.put(&encoded)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), ConnectorError> {
        #[cfg(test)]
        if let Some(room) = &mut self.room {
            if *room < bytes.len() {
                let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
                return Err(io_error(&full, "write", &self.path));
            }
            *room -= bytes.len();
        }
        self.out.write_all(bytes).map_err(|error| io_error(&error, "write", &self.path))
    }

    /// Puts the draft in the file's place. `old` is what it replaces; without it, the place has to be free still.
    pub fn commit(self, old: Option<&Metadata>) -> Result<(), ConnectorError> {
        let path = self.path;
        let failed = |error: std::io::Error| io_error(&error, "write", &path);
        let draft = self.out.into_inner().map_err(|error| failed(error.into_error()))?;
        if let Some(old) = old {
            keep_rights(draft.as_file(), old, &path).map_err(failed)?;
        }
        draft.as_file().sync_all().map_err(failed)?;
        let renamed = if old.is_some() { draft.persist(&path) } else { draft.persist_noclobber(&path) };
        renamed.map_err(|error| match error.error.kind() {
            ErrorKind::AlreadyExists => disturbed(&path, "has come into being meanwhile"),
            _ => failed(error.error),
        })?;
        #[cfg(unix)]
        File::open(super::folder(&path)).and_then(|folder| folder.sync_all()).map_err(|error| {
            let message = format!("`{}` is written, but its folder could not be synced: {error}", path.display());
            ConnectorError::new(ErrorCode::UnknownOutcome, message)
                .scope(Scope::Job)
                .hint("check the disk or network share")
        })?;
        Ok(())
    }
}

/// The error of a file that somebody else wrote while its new version was being made. Nothing was changed.
pub(super) fn disturbed(path: &Path, what: &str) -> ConnectorError {
    let mut error =
        ConnectorError::new(ErrorCode::Conflict, format!("`{}` {what}; nothing was written", path.display()))
            .scope(Scope::Job)
            .hint("let one program write the file at a time");
    error.retry = Retry::Backoff;
    error
}

#[cfg(unix)]
fn keep_rights(draft: &File, old: &Metadata, path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let new = draft.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid())
        && let Err(error) = std::os::unix::fs::fchown(draft, Some(old.uid()), Some(old.gid()))
    {
        tracing::warn!(file = %path.display(), %error, "the file's owner could not be kept");
    }
    // After the owner: changing that may take bits away.
    draft.set_permissions(old.permissions())
}

#[cfg(not(unix))]
fn keep_rights(_: &File, _: &Metadata, _: &Path) -> std::io::Result<()> {
    Ok(())
}

fn remove_leftovers(folder: &Path, prefix: &str) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // What stands between has no dot, else it is the draft of a file with a longer name.
        let random = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(".draft"));
        if random.is_some_and(|random| !random.contains('.')) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
