//! TLS: rustls with aws-lc-rs, given explicitly so that no second provider in the process can confuse it. Certificates are
//! always verified: by the platform's trust store, or against a private authority alone.

use std::path::Path;
use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt;
use provost_connector::{ConnectorError, ErrorCode};
use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

/// What the client shows of itself: a chain of certificates and the key of the first.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

impl Identity {
    /// From PEM texts. Errors tell which of the two is wrong, and nothing of the key.
    pub fn read(certificates: &[u8], key: &[u8]) -> Result<Self, ConnectorError> {
        let wrong = |path: &'static str, message: &str| {
            ConnectorError::new(ErrorCode::InvalidConfig, message.to_owned())
                .at(path)
                .hint("give PEM: the certificate with those of its issuers, and its key without a passphrase")
        };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates).collect();
        let chain = chain.map_err(|_| wrong("client_certificate.cert", "the client certificate is no PEM"))?;
        if chain.is_empty() {
            return Err(wrong("client_certificate.cert", "the file of the client certificate holds none"));
        }
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| wrong("client_certificate.key", "the key of the client certificate cannot be read"))?;
        Ok(Self { chain, key })
    }
}

/// The client's side of TLS. With `ca`, a PEM file, only certificates issued by those in the file are accepted.
pub fn config(ca: Option<&Path>, identity: Option<Identity>) -> Result<ClientConfig, ConnectorError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ConnectorError::new(ErrorCode::Internal, format!("cannot set up TLS: {error}")))?;
    let Some(path) = ca else {
        let verified = builder.try_with_platform_verifier().map_err(|error| {
            ConnectorError::new(
                ErrorCode::InvalidConfig,
                format!("cannot use the platform's trusted certificates: {error}"),
            )
            .hint("install the system's CA certificates (package `ca-certificates`) or set `ca`")
        })?;
        return with_identity(verified, identity);
    };
    let unusable = |reason: String| {
        ConnectorError::new(ErrorCode::InvalidConfig, format!("cannot use {} as `ca`: {reason}", path.display()))
            .at("ca")
            .hint("give a PEM file with the certificate of the authority that issued the target's certificate")
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))? {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("it holds no certificate".to_owned()));
    }
    with_identity(builder.with_root_certificates(roots), identity)
}

fn with_identity(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    identity: Option<Identity>,
) -> Result<ClientConfig, ConnectorError> {
    match identity {
        None => Ok(builder.with_no_client_auth()),
        Some(Identity { chain, key }) => builder.with_client_auth_cert(chain, key).map_err(|error| {
            ConnectorError::new(ErrorCode::InvalidConfig, format!("cannot use the client certificate: {error}"))
                .at("client_certificate")
                .hint("check that the key belongs to the certificate")
        }),
    }
}
