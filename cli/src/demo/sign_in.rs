//! How people sign in to the demo's console.

use std::{ffi::OsString, fs, path::PathBuf};

use weft_runtime::StartupError;

use super::{directory::Directory, plan::Plan};

/// Flags of sign-in.
#[derive(clap::Args)]
pub struct SignInArgs {
    /// How people sign in to the console. Whoever is on this machine may use it when nobody has to.
    #[arg(long, value_enum, default_value_t)]
    sign_in: Way,
    /// Sign in at this OpenID provider instead of by a link. It has to know the redirect URI
    /// http://CONSOLE/auth/callback.
    #[arg(long, value_name = "ISSUER", requires = "oidc_client_id")]
    oidc: Option<String>,
    /// The console's name at the provider.
    #[arg(long, value_name = "ID", requires = "oidc")]
    oidc_client_id: Option<String>,
    /// File with the client's secret; without one the client is public.
    #[arg(long, value_name = "FILE", requires = "oidc")]
    oidc_client_secret_file: Option<PathBuf>,
    /// Claim with the name that rights are given to.
    #[arg(long, value_name = "CLAIM", default_value = "email")]
    oidc_username_claim: String,
    /// Who may do what, in Argo CD's CSV shape. Without one, whoever signs in at the provider may steer traffic.
    #[arg(long, value_name = "FILE", requires = "oidc")]
    roles_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Way {
    /// By a link that works once.
    #[default]
    Link,
    /// Nobody has to.
    None,
}

impl SignInArgs {
    /// Flags of the console.
    pub fn console_flags(&self, plan: &Plan, directory: &Directory) -> Vec<OsString> {
        let mut flags = vec![OsString::from(format!("--public-url=http://{}", plan.console()))];
        let mut put = |name: &str, value: OsString| {
            let mut flag = OsString::from(format!("--{name}="));
            flag.push(value);
            flags.push(flag);
        };
        match (&self.oidc, self.sign_in) {
            (Some(issuer), _) => {
                put("oidc-issuer", issuer.into());
                put("oidc-username-claim", self.oidc_username_claim.clone().into());
                if let Some(id) = &self.oidc_client_id {
                    put("oidc-client-id", id.into());
                }
                if let Some(file) = &self.oidc_client_secret_file {
                    put("oidc-client-secret-file", file.into());
                }
                match &self.roles_file {
                    Some(file) => put("roles-file", file.into()),
                    None => put("default-role", "role:operator".into()),
                }
            }
            (None, Way::Link) => put("sign-in-link-file", directory.sign_in_link().into()),
            (None, Way::None) => flags.clear(),
        }
        flags
    }

    /// The link that signs in now; `None` when there is another way.
    pub fn link(&self, directory: &Directory) -> anyhow::Result<Option<String>> {
        if self.oidc.is_some() || self.sign_in == Way::None {
            return Ok(None);
        }
        let file = directory.sign_in_link();
        let link = fs::read_to_string(&file).map_err(|error| {
            StartupError::new(format!("cannot read {}", file.display()), error, "look at the console's log")
        })?;
        Ok(Some(link.trim().to_owned()))
    }
}
