//! TLS: rustls with aws-lc-rs, given explicitly so that no second provider in the process can confuse it. Certificates are
//! always verified: by the platform's trust store, or against a private authority alone.

use std::path::Path;
use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt;
use provost_connector::{ConnectorError, ErrorCode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// The client's side of TLS. With `ca`, a PEM file, only certificates issued by those in the file are accepted.
pub fn config(ca: Option<&Path>) -> Result<ClientConfig, ConnectorError> {
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
        return Ok(verified.with_no_client_auth());
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
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
