//! What a program consists of, as one digest that an administrator can approve.
//!
//! SHA-256 over a list of files with the digest of each, so that no two sets of files look the same. Paths count from the
//! folder of the configuration or manifest: a program that is moved as a whole stays the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use provost_connector::{ConnectorError, ErrorCode};

/// Files that a program may have, and their bytes: more is a folder that was named by mistake.
const MOST_FILES: usize = 10_000;
const MOST_BYTES: u64 = 1 << 30;
const DEEPEST: usize = 32;

/// The files of a program by the name they are listed with.
#[derive(Debug, Default)]
pub(crate) struct Files {
    base: PathBuf,
    found: BTreeMap<String, PathBuf>,
    bytes: u64,
}

impl Files {
    pub fn new(base: &Path) -> Self {
        Self { base: base.to_owned(), ..Self::default() }
    }

    /// A file, or a folder with all that is in it.
    pub fn add(&mut self, path: &Path) -> Result<(), ConnectorError> {
        self.walk(path, 0)
    }

    fn walk(&mut self, path: &Path, depth: usize) -> Result<(), ConnectorError> {
        let meta = fs::metadata(path).map_err(|error| cannot_read(path, &error))?;
        if anybody_writes(&meta) {
            let message =
                format!("{} can be changed by anybody, so that its approval would mean nothing", path.display());
            return Err(refuse(message).hint(format!("take the right away: chmod o-w {}", path.display())));
        }
        if !meta.is_dir() {
            self.bytes += meta.len();
            let name = path.strip_prefix(&self.base).unwrap_or(path).to_string_lossy().replace('\\', "/");
            self.found.insert(name, path.to_owned());
            if self.found.len() > MOST_FILES || self.bytes > MOST_BYTES {
                let message = format!("the program has more than {MOST_FILES} files or 1 GiB");
                return Err(refuse(message).at("files").hint("name the files that belong to it"));
            }
            return Ok(());
        }
        if depth == DEEPEST {
            return Err(refuse(format!("{} is more than {DEEPEST} folders deep", path.display())).at("files"));
        }
        for entry in fs::read_dir(path).map_err(|error| cannot_read(path, &error))? {
            self.walk(&entry.map_err(|error| cannot_read(path, &error))?.path(), depth + 1)?;
        }
        Ok(())
    }

    /// One line for each file: its digest and its name.
    pub fn list(&self) -> Result<String, ConnectorError> {
        let mut list = String::new();
        for (name, path) in &self.found {
            let digest = of_file(path).map_err(|error| cannot_read(path, &error))?;
            // Names are escaped: a line break in one would make another list of it.
            let _ = writeln!(list, "{digest}  {}", name.escape_debug());
        }
        Ok(list)
    }
}

#[cfg(unix)]
fn anybody_writes(meta: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    meta.permissions().mode() & 0o002 != 0
}

#[cfg(not(unix))]
fn anybody_writes(_: &Metadata) -> bool {
    false
}

fn refuse(message: String) -> ConnectorError {
    ConnectorError::new(ErrorCode::InvalidConfig, message)
}

fn cannot_read(path: &Path, error: &io::Error) -> ConnectorError {
    refuse(format!("{} belongs to the program and cannot be read: {error}", path.display()))
        .hint("check the path, and that Provost may read it")
}

fn of_file(path: &Path) -> io::Result<String> {
    let (mut file, mut context, mut part) = (File::open(path)?, Context::new(&SHA256), [0; 64 << 10]);
    loop {
        match file.read(&mut part)? {
            0 => return Ok(hex(context.finish().as_ref())),
            read => context.update(&part[..read]),
        }
    }
}

/// `sha256:` and the digest of a text.
pub(crate) fn of_text(text: &str) -> String {
    format!("sha256:{}", hex(aws_lc_rs::digest::digest(&SHA256, text.as_bytes()).as_ref()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether a text has the form of what [`of_text`] gives, in any letter case.
pub(crate) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
