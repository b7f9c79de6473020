//! Gateway (<https://istio.io/latest/docs/reference/config/networking/gateway/>).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Port;
use crate::one_of::words;

/// Ports and hosts of a gateway workload.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Gateway {
    /// What it listens on.
    pub servers: Vec<Server>,
    /// Labels of the gateway workloads, in any namespace.
    pub selector: BTreeMap<String, String>,
}

/// One port of a gateway. The number is the gateway Service's port.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Server {
    /// Port.
    pub port: Port,
    /// Address to bind.
    pub bind: String,
    /// Hosts: `host` or `namespace/host`, where namespace may be `*` or `.` and host may be a `*.` pattern.
    pub hosts: Vec<String>,
    /// TLS.
    pub tls: Option<ServerTls>,
    /// Reserved by Istio and not applied there either.
    pub default_endpoint: String,
    /// Name, for logs.
    pub name: String,
}

/// TLS of a server.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ServerTls {
    /// Whether plain HTTP is answered with a redirect to HTTPS.
    pub https_redirect: bool,
    /// What kind.
    pub mode: ServerTlsMode,
    /// File of the chain.
    pub server_certificate: String,
    /// File of the key.
    pub private_key: String,
    /// File of the roots that clients are verified against.
    pub ca_certificates: String,
    /// File of revoked certificates.
    pub ca_crl: String,
    /// Secret in place of the files, in the gateway workload's namespace.
    pub credential_name: String,
    /// Several Secrets, such as one RSA and one ECDSA.
    pub credential_names: Vec<String>,
    /// Several pairs of files.
    pub tls_certificates: Vec<ServerCertificate>,
    /// Names of which a client's certificate must have one.
    pub subject_alt_names: Vec<String>,
    /// Base64 SHA-256 of keys that clients may have.
    pub verify_certificate_spki: Vec<String>,
    /// Hex SHA-256 of certificates that clients may have.
    pub verify_certificate_hash: Vec<String>,
    /// Least version.
    pub min_protocol_version: TlsVersion,
    /// Greatest version.
    pub max_protocol_version: TlsVersion,
    /// Cipher suites below TLS 1.3.
    pub cipher_suites: Vec<String>,
}

impl ServerTls {
    /// The Secret that is shown, the first that is named, and the field that names it, such as `credentialNames[0]`.
    pub fn credential(&self) -> Option<(String, &str)> {
        let several = self.credential_names.iter().enumerate().map(|(index, name)| (Some(index), name));
        let mut named = std::iter::once((None, &self.credential_name)).chain(several);
        let (index, name) = named.find(|(_, name)| !name.is_empty())?;
        let field =
            index.map_or_else(|| "credentialName".to_owned(), |index: usize| format!("credentialNames[{index}]"));
        Some((field, name.as_str()))
    }
}

/// A pair of files.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ServerCertificate {
    /// File of the chain.
    pub server_certificate: String,
    /// File of the key.
    pub private_key: String,
    /// File of the roots that clients are verified against.
    pub ca_certificates: String,
}

words! {
    /// What kind of TLS a server speaks.
    ServerTlsMode {
        /// Passed on by SNI.
        #[default]
        Passthrough = "PASSTHROUGH",
        /// The server proves who it is.
        Simple = "SIMPLE",
        /// Both do.
        Mutual = "MUTUAL",
        /// Passed on to the service that the SNI names.
        AutoPassthrough = "AUTO_PASSTHROUGH",
        /// Both do, with the mesh's certificates.
        IstioMutual = "ISTIO_MUTUAL",
        /// As MUTUAL, and clients without a certificate are let in.
        OptionalMutual = "OPTIONAL_MUTUAL",
    }
}

words! {
    /// A version of TLS.
    TlsVersion {
        /// The proxy's own bound.
        #[default]
        Auto = "TLS_AUTO",
        /// 1.0; below what this proxy speaks.
        V1_0 = "TLSV1_0",
        /// 1.1; below what this proxy speaks.
        V1_1 = "TLSV1_1",
        /// 1.2.
        V1_2 = "TLSV1_2",
        /// 1.3.
        V1_3 = "TLSV1_3",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_secret_that_is_named_is_shown() {
        let of = |one: &str, several: &[&str]| {
            let credential_names = several.iter().map(|name| (*name).to_owned()).collect();
            let tls = ServerTls { credential_name: one.to_owned(), credential_names, ..ServerTls::default() };
            tls.credential().map(|(field, name)| (field, name.to_owned()))
        };
        let found = |field: &str, name: &str| Some((field.to_owned(), name.to_owned()));
        assert_eq!(of("a", &["b"]), found("credentialName", "a"));
        assert_eq!(of("", &["", "b", "c"]), found("credentialNames[1]", "b"));
        assert_eq!(of("", &[""]), None);
    }
}
