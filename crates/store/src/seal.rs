//! Sealing secrets: AES-256-GCM under a data key that is derived from the master key.
//!
//! A sealed text is `v1.KEYID.BASE64(nonce, ciphertext, tag)`. The secret's name is authenticated with it, so that one
//! secret's blob cannot be put in another's place; the key id tells a wrong key from a changed blob. The master key is 32
//! bytes in base64, from the environment or a file of mode 0600; it is never in the database nor in its backups.

use std::fmt;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::{digest, hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::{Result, StoreError};

/// The environment variable with the master key.
pub const ENVIRONMENT: &str = "PROVOST_MASTER_KEY";

const VERSION: &str = "v1";
const LENGTH: usize = 32;

/// The key that all secrets of a store hang on.
pub struct MasterKey {
    data: LessSafeKey,
    mark: hmac::Key,
    id: String,
}

impl MasterKey {
    /// From the environment, else from the file, else, where `may_create` says that nothing was sealed yet, a new one in the
    /// file.
    pub(crate) fn find(file: Option<&Path>, may_create: bool) -> Result<Self> {
        if let Ok(text) = std::env::var(ENVIRONMENT).map(Zeroizing::new) {
            return Self::from_base64(&text, ENVIRONMENT);
        }
        match file {
            Some(path) => Self::from_file(path, may_create),
            None => Err(wrong(ENVIRONMENT, "it is not set, and a store on PostgreSQL has no folder to keep one in")),
        }
    }

    /// From a file that only its owner can read; made when it is missing and `may_create`.
    pub fn from_file(path: &Path, may_create: bool) -> Result<Self> {
        let origin = path.display().to_string();
        let failed = |error: std::io::Error| wrong(&origin, error);
        match std::fs::read_to_string(path).map(Zeroizing::new) {
            Ok(text) => {
                private(path, &origin)?;
                Self::from_base64(&text, &origin)
            }
            Err(error) if error.kind() == ErrorKind::NotFound && may_create => {
                let text = Zeroizing::new(STANDARD.encode(*random::<LENGTH>()?));
                match create(path).and_then(|mut file| writeln!(file, "{}", *text).and_then(|()| file.sync_all())) {
                    Ok(()) => Self::from_base64(&text, &origin),
                    // Somebody else was quicker; theirs is the one that counts.
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => Self::from_file(path, false),
                    Err(error) => Err(failed(error)),
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(wrong(&origin, "the file is missing, and there are secrets that were sealed with its key"))
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// From 32 bytes in base64; `origin` is for the error.
    pub fn from_base64(text: &str, origin: &str) -> Result<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| wrong(origin, "it is not base64"))?);
        if bytes.len() != LENGTH {
            return Err(wrong(origin, format!("it has {} bytes instead of {LENGTH}", bytes.len())));
        }
        Ok(Self::derive(&bytes))
    }

    fn derive(bytes: &[u8]) -> Self {
        let secret = Salt::new(HKDF_SHA256, b"provost").extract(bytes);
        let part = |info: &'static [u8]| {
            let mut key = Zeroizing::new([0u8; LENGTH]);
            secret
                .expand(&[info], Length)
                .and_then(|part| part.fill(&mut *key))
                .expect("one block is within what HKDF gives");
            key
        };
        let data =
            UnboundKey::new(&AES_256_GCM, &*part(b"secret data key v1")).expect("the key has the cipher's length");
        let mark = hmac::Key::new(hmac::HMAC_SHA256, &*part(b"value digest key v1"));
        Self { data: LessSafeKey::new(data), mark, id: hex(&part(b"key id v1")[..4]) }
    }

    /// Tells keys apart without saying anything about them.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Seals the value of the secret of this name.
    pub fn seal(&self, name: &str, value: &[u8]) -> Result<String> {
        let nonce = random::<NONCE_LEN>()?;
        let mut sealed = value.to_vec();
        self.data
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(*nonce), Aad::from(name.as_bytes()), &mut sealed)
            .map_err(|_| sealed_error(name, "the cipher refused it"))?;
        let blob = [nonce.as_slice(), &sealed].concat();
        Ok(format!("{VERSION}.{}.{}", self.id, STANDARD.encode(blob)))
    }

    /// Stands for a value that is compared and never needed again: 128 bits under this key, with the key's id. The same value
    /// in another place has another digest.
    pub fn digest(&self, place: &str, value: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.mark);
        context.update(&(place.len() as u64).to_be_bytes());
        context.update(place.as_bytes());
        context.update(value);
        format!("{}.{}", self.id, hex(&context.sign().as_ref()[..16]))
    }

    /// Opens what [`seal`](Self::seal) gave for the same name.
    pub fn open(&self, name: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>> {
        let mut parts = sealed.splitn(3, '.');
        let (Some(VERSION), Some(id), Some(blob)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(sealed_error(name, "the stored text has an unknown form"));
        };
        if id != self.id {
            let reason = format!("it was sealed with key {id}, and this is key {}", self.id);
            return Err(sealed_error(name, &reason));
        }
        let changed = || sealed_error(name, "the stored text was changed, or belongs to another secret");
        let mut blob = Zeroizing::new(STANDARD.decode(blob).map_err(|_| changed())?);
        let (nonce, value) = blob.split_at_mut_checked(NONCE_LEN).ok_or_else(changed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| changed())?;
        let value = self.data.open_in_place(nonce, Aad::from(name.as_bytes()), value).map_err(|_| changed())?;
        Ok(Zeroizing::new(value.to_vec()))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        LENGTH
    }
}

/// Random bytes from the system's generator.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0u8; N]);
    rand::fill(&mut *bytes).map_err(|_| wrong("the system", "its random generator failed"))?;
    Ok(bytes)
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn create(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn private(path: &Path, origin: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).map_err(|error| wrong(origin, error))?.permissions().mode();
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(wrong(origin, format!("others may read it (mode {:04o})", mode & 0o7777))),
    }
}

#[cfg(not(unix))]
fn private(_: &Path, _: &str) -> Result<()> {
    Ok(())
}

fn wrong(origin: &str, reason: impl ToString) -> StoreError {
    StoreError::MasterKey { origin: origin.to_owned(), reason: reason.to_string() }
}

fn sealed_error(name: &str, reason: &str) -> StoreError {
    StoreError::Sealed { name: name.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> MasterKey {
        MasterKey::from_base64(&STANDARD.encode([byte; LENGTH]), "test").unwrap()
    }

    #[test]
    fn what_was_sealed_opens_under_its_name_and_key_only() {
        let sealed = key(1).seal("hr", b"s3cret").unwrap();
        assert_eq!(&**key(1).open("hr", &sealed).unwrap(), b"s3cret");
        assert_ne!(sealed, key(1).seal("hr", b"s3cret").unwrap(), "a nonce was used twice");

        let (head, blob) = sealed.rsplit_once('.').unwrap();
        for position in [0, NONCE_LEN, blob.len() / 4 * 3 - 3] {
            let mut bytes = STANDARD.decode(blob).unwrap();
            bytes[position] ^= 1;
            assert!(key(1).open("hr", &format!("{head}.{}", STANDARD.encode(bytes))).is_err());
        }
        for (key, name, sealed) in
            [(key(1), "crm", sealed.as_str()), (key(2), "hr", &sealed), (key(1), "hr", ""), (key(1), "hr", "v1.x")]
        {
            assert!(matches!(key.open(name, sealed), Err(StoreError::Sealed { .. })));
        }
        assert!(key(1).open("hr", &format!("{head}.AAAA")).is_err());
    }

    #[test]
    fn a_digest_tells_values_places_and_keys_apart() {
        let digest = key(1).digest("7", b"first");
        assert_eq!(digest, key(1).digest("7", b"first"));
        let others = [key(1).digest("7", b"second"), key(1).digest("8", b"first"), key(2).digest("7", b"first")];
        assert!(!others.contains(&digest), "{digest} {others:?}");
        assert_ne!(key(1).digest("ab", b"c"), key(1).digest("a", b"bc"));
    }

    #[test]
    fn the_key_file_is_made_once_private_and_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        assert!(matches!(MasterKey::from_file(&path, false), Err(StoreError::MasterKey { .. })));
        let made = MasterKey::from_file(&path, true).unwrap();
        assert_eq!(MasterKey::from_file(&path, false).unwrap().id(), made.id());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert!(MasterKey::from_file(&path, true).unwrap_err().to_string().contains("0644"));
        }
        assert!(MasterKey::from_base64("AAAA", "test").unwrap_err().to_string().contains("3 bytes"));
    }
}
