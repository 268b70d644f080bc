//! What can go wrong in a benchmark: one type, with a hint for the person who sees it.
//! It has no codes: this crate is for development only and its messages are read at once.
//! Looks for: what failed, on what, why.

/// The one error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{doing} {path}: {source}")]
    File { doing: &'static str, path: String, source: std::io::Error },
    #[error("{doing}: {source}")]
    Io { doing: &'static str, source: std::io::Error },
    #[error("{doing}: {source}")]
    Csv { doing: &'static str, source: csv::Error },
    #[error("{doing}: {source}")]
    Sqlite { doing: &'static str, source: rusqlite::Error },
    #[error("{doing}: {source}")]
    Http { doing: &'static str, source: hyper::Error },
    #[error("{doing}: {source}")]
    Json { doing: &'static str, source: serde_json::Error },
    #[error("target answered {status} to {request}: {body}")]
    Answer { request: String, status: u16, body: String },
    #[error("{program} ended with {status}: {stderr}\nhint: run the same command by hand in {folder}")]
    Child { program: String, status: String, stderr: String, folder: String },
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Other(String),
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn io(doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }

    pub fn file(doing: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::File { doing, path, source }
    }

    pub fn csv(doing: &'static str) -> impl FnOnce(csv::Error) -> Self {
        move |source| Self::Csv { doing, source }
    }

    pub fn sqlite(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Sqlite { doing, source }
    }

    pub fn http(doing: &'static str) -> impl FnOnce(hyper::Error) -> Self {
        move |source| Self::Http { doing, source }
    }

    pub fn json(doing: &'static str) -> impl FnOnce(serde_json::Error) -> Self {
        move |source| Self::Json { doing, source }
    }
}
