use http::HeaderMap;
use kube::{Client, Config, config::AuthInfo};

use super::connect::{self, ConnectError};
use crate::Credential;

/// Clients of one API server: with our own account, and in the names of the people who ask.
#[derive(Clone)]
pub struct Clients {
    config: Config,
    own: Client,
}

impl Clients {
    /// Of the API server that `config` names.
    ///
    /// # Errors
    /// When its credentials or certificates cannot be used.
    pub fn new(config: Config) -> Result<Self, ConnectError> {
        Ok(Self { own: connect::client(config.clone())?, config })
    }

    /// With our own account.
    pub fn own(&self) -> &Client {
        &self.own
    }

    /// In the name of whoever has `credential`: the API server judges and records that person. It is made for one
    /// request, and keeps no connection after it.
    ///
    /// # Errors
    /// As of [`Clients::new`].
    pub fn named(&self, credential: &Credential) -> Result<Client, ConnectError> {
        connect::client(signed(self.config.clone(), credential))
    }
}

fn signed(mut config: Config, credential: &Credential) -> Config {
    if credential.token().is_some() {
        // Not beside ours: a token that does not count must not leave the request with our rights.
        config.auth_info = AuthInfo::default();
    }
    // A kubeconfig that impersonates somebody would add its groups to the person's.
    config.auth_info.impersonate = None;
    config.auth_info.impersonate_groups = None;
    let mut headers = HeaderMap::new();
    credential.sign(&mut headers);
    config.headers.extend(headers.iter().map(|(name, value)| (name.clone(), value.clone())));
    config
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BearerToken, Impersonation};

    #[test]
    fn a_token_stands_alone_and_impersonation_beside_our_account() {
        let mut config = Config::new("https://127.0.0.1:6443".parse().unwrap());
        config.auth_info.username = Some("console".to_owned());
        config.auth_info.impersonate_groups = Some(vec!["system:masters".to_owned()]);
        let names = |config: &Config| {
            config.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
        };
        let token = signed(config.clone(), &Credential::Token(BearerToken::new("ey.a-b").unwrap()));
        let headers: Vec<(String, String)> = names(&token);
        assert_eq!(headers, [("authorization".to_owned(), "Bearer ey.a-b".to_owned())]);
        assert!(token.auth_info.username.is_none(), "our account would speak beside the token");
        let ada = Impersonation::new("ada", &["team".to_owned(), "all".to_owned()]).unwrap();
        let ada = signed(config, &Credential::Impersonated(ada));
        let headers: Vec<(String, String)> = names(&ada);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [("user", "ada"), ("group", "team"), ("group", "all")];
        assert_eq!(headers, expected.map(|(name, value)| pair(&format!("impersonate-{name}"), value)));
        assert_eq!(ada.auth_info.username.as_deref(), Some("console"));
        assert!(ada.auth_info.impersonate_groups.is_none(), "they would be added to hers");
    }
}
