//! Certificates that the user named: each is believed as the server's own.
//!
//! What `openssl req -x509` makes signs itself and says that it is an authority, and the how-tos of
//! servers let phones be given that very file. The usual check refuses it: no authority may be a server.
//! Whoever names a certificate means it, so one that comes back byte for byte needs no signature of
//! anybody else. Its dates and its name are checked all the same.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

/// Believes the certificates that the user named, and all others as usual.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) usual: Arc<WebPkiServerVerifier>,
    pub(super) named: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let usual = self.usual.verify_server_cert(end, intermediates, name, ocsp, now);
        if usual.is_ok() || !self.named.iter().any(|named| named == end) {
            return usual;
        }
        // The dates are looked at before all else, so every other fault means that they are good.
        if let Err(Error::InvalidCertificate(fault)) = &usual
            && is_of_dates(fault)
        {
            return usual;
        }
        verify_name(end, name).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

const fn is_of_dates(fault: &CertificateError) -> bool {
    matches!(
        fault,
        CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }
    )
}

/// By the alternative names, where there are none by the common name (RFC 5922 §7.1).
fn verify_name(end: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<(), Error> {
    let fault = match verify_server_name(&ParsedCertificate::try_from(end)?, name) {
        Err(Error::InvalidCertificate(fault)) => fault,
        other => return other,
    };
    let CertificateError::NotValidForNameContext { expected, presented } = fault else {
        return Err(Error::InvalidCertificate(fault));
    };
    let common_name = common_name(end).filter(|_| presented.is_empty());
    if common_name.as_ref().is_some_and(|common_name| common_name.eq_ignore_ascii_case(&name.to_str())) {
        return Ok(());
    }
    let presented = if presented.is_empty() { common_name.into_iter().collect() } else { presented };
    Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { expected, presented }))
}

/// The common name of a certificate's subject (RFC 5280 §4.1.2.6).
fn common_name(certificate: &[u8]) -> Option<String> {
    const COMMON_NAME: &[u8] = &[0x55, 4, 3];
    let (to_be_signed, _) = inside(inside(certificate, SEQUENCE)?.0, SEQUENCE)?;
    let after_version = inside(to_be_signed, VERSION).map_or(to_be_signed, |(_, rest)| rest);
    let (_, rest) = inside(after_version, INTEGER)?;
    // The algorithm, the issuer and the dates.
    let rest = (0..3).try_fold(rest, |rest, _| Some(inside(rest, SEQUENCE)?.1))?;
    let (mut subject, _) = inside(rest, SEQUENCE)?;
    while let Some((parts, rest)) = inside(subject, SET) {
        let (part, _) = inside(parts, SEQUENCE)?;
        let (kind, value) = inside(part, OBJECT_IDENTIFIER)?;
        if kind == COMMON_NAME {
            let (_, text, _) = element(value)?;
            return String::from_utf8(text.to_vec()).ok();
        }
        subject = rest;
    }
    None
}

const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;

/// What an element of that kind holds, and what follows it.
fn inside(bytes: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    element(bytes).filter(|(found, ..)| *found == kind).map(|(_, content, rest)| (content, rest))
}

/// Kind, content and rest of the first element (X.690 §8.1).
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [kind, first, rest @ ..] = bytes else { return None };
    let (length, rest) = match usize::from(*first) {
        short @ ..0x80 => (short, rest),
        long => {
            let (digits, rest) =
                rest.split_at_checked(long - 0x80).filter(|(digits, _)| digits.len() <= 4)?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*kind, content, rest))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    #[test]
    fn the_common_name_is_found() {
        let check = |names: &[(DnType, &str)], expected: Option<&str>| {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.distinguished_name = rcgen::DistinguishedName::new();
            names.iter().for_each(|(kind, name)| params.distinguished_name.push(kind.clone(), *name));
            let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            assert_eq!(common_name(certificate.der()).as_deref(), expected);
        };
        check(&[(DnType::CommonName, "pbx.example")], Some("pbx.example"));
        check(&[(DnType::CountryName, "XY"), (DnType::CommonName, "pbx")], Some("pbx"));
        check(&[(DnType::OrganizationName, "Offhook")], None);
    }

    proptest::proptest! {
        #[test]
        fn any_certificate_is_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = common_name(&bytes);
        }
    }
}
