//! Encrypted connections, with as much of the server's certificate checked as `database.sslmode` asks for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{ConnectionConfig, PostgresError, SslMode};

/// Encrypts a connection.
pub(super) async fn encrypt(
    stream: TcpStream,
    config: &ConnectionConfig,
) -> Result<TlsStream<TcpStream>, PostgresError> {
    let tls = client_config(config).map_err(PostgresError::Unsupported)?;
    let name = ServerName::try_from(config.host.clone())
        .map_err(|_| PostgresError::Unsupported(format!("'{}' is not a server's name", config.host)))?;
    Ok(TlsConnector::from(Arc::new(tls)).connect(name, stream).await?)
}

fn client_config(config: &ConnectionConfig) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let trusted = trusted(config)?;
    let chain = chain(&trusted, &provider)?;
    let verifier = Arc::new(Verifier { trusted, chain, mode: config.ssl_mode, provider });
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let Some((certificate, key)) = config.ssl_cert.as_deref().zip(config.ssl_key.as_deref()) else {
        return Ok(builder.with_no_client_auth());
    };
    let key = read_key(key)?;
    builder.with_client_auth_cert(read_certificates(certificate)?, key).map_err(|error| error.to_string())
}

/// The certificates that are trusted: those of the file that is named, or of the one where libpq looks for them.
fn trusted(config: &ConnectionConfig) -> Result<Vec<CertificateDer<'static>>, String> {
    let usual = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".postgresql/root.crt"));
    match config.ssl_root_cert.clone().or_else(|| usual.filter(|path| path.is_file())) {
        Some(path) => read_certificates(&path),
        None if matches!(config.ssl_mode, SslMode::VerifyCa | SslMode::VerifyFull) => {
            Err("Could not open SSL root certificate file: set database.sslrootcert".into())
        }
        None => Ok(Vec::new()),
    }
}

/// What checks that a certificate is signed by one that is trusted; `None` if none is.
fn chain(
    trusted: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<WebPkiServerVerifier>>, String> {
    if trusted.is_empty() {
        return Ok(None);
    }
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add(certificate.clone()).map_err(|error| error.to_string())?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    verifier.map(Some).map_err(|error| error.to_string())
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unreadable =
        |error: &dyn std::fmt::Display| format!("Could not read certificates of '{}': {error}", path.display());
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))?;
    certificates.collect::<Result<_, _>>().map_err(|error| unreadable(&error))
}

/// A key in PEM, or in the DER that Java's driver wants.
fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    if let Ok(key) = PrivateKeyDer::from_pem_file(path) {
        return Ok(key);
    }
    let bytes =
        std::fs::read(path).map_err(|error| format!("Could not read SSL key file {}: {error}", path.display()))?;
    Ok(PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(bytes)))
}

/// Checks of a certificate what the mode asks for.
#[derive(Debug)]
struct Verifier {
    trusted: Vec<CertificateDer<'static>>,
    chain: Option<Arc<WebPkiServerVerifier>>,
    mode: SslMode,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // As in libpq, a file of trusted certificates makes of `require` what `verify-ca` is.
        let Some(chain) = self.chain.as_ref().filter(|_| !matches!(self.mode, SslMode::Allow | SslMode::Prefer)) else {
            return Ok(ServerCertVerified::assertion());
        };
        // A server may show the very certificate that is trusted, signed by itself.
        if self.trusted.iter().any(|trusted| trusted == end_entity) {
            if self.mode == SslMode::VerifyFull {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.mode != SslMode::VerifyFull => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
