//! Whom a download believes, and who it says that we are.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use roles::role::TlsRules;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::named::Named;
use super::{Trust, certificate, provider};

/// The certificate that we show, and its key.
#[derive(Clone, Debug)]
pub(in crate::net) struct Identity {
    pub(in crate::net) certificate: PathBuf,
    pub(in crate::net) key: PathBuf,
}

impl Trust {
    /// What a download needs, by its rules.
    ///
    /// # Errors
    /// A file that cannot be read or is not what its name says.
    pub(in crate::net) fn client_by(
        &self,
        rules: TlsRules,
        identity: Option<&Identity>,
    ) -> io::Result<Arc<ClientConfig>> {
        let verifier = self.verifier()?;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let builder = match verifier {
            Some(usual) if rules == TlsRules::default() => {
                builder.dangerous().with_custom_certificate_verifier(usual)
            }
            None if rules == TlsRules::default() => builder.with_root_certificates(RootCertStore::empty()),
            usual => builder.dangerous().with_custom_certificate_verifier(Arc::new(ByRules { rules, usual })),
        };
        Ok(Arc::new(match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = certificate::pair(&identity.certificate, &identity.key)?;
                builder.with_client_auth_cert(chain, key).map_err(io::Error::other)?
            }
        }))
    }
}

/// Checks a server's certificate less strictly than usual, as a phone's settings may ask for.
#[derive(Debug)]
struct ByRules {
    rules: TlsRules,
    /// None where no authority is trusted at all.
    usual: Option<Arc<Named>>,
}

impl ByRules {
    fn forgives(&self, fault: &CertificateError) -> bool {
        match fault {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                !self.rules.checks_name
            }
            _ => !self.rules.trusted_only,
        }
    }
}

impl ServerCertVerifier for ByRules {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let checked = match &self.usual {
            Some(usual) => usual.verify_server_cert(end, intermediates, name, ocsp, now),
            None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        };
        match checked {
            Err(Error::InvalidCertificate(fault)) if self.forgives(&fault) => {
                if self.rules.checks_name {
                    verify_server_name(&ParsedCertificate::try_from(end)?, name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
