//! `weft ca`: join tokens and the root certificate, straight from the operator's state directory.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use weft_operator::ca::{Authority, StateDir, TokenStore, tokens::NewToken};
use weft_runtime::StartupError;

use crate::output;

/// Arguments of `weft ca`.
#[derive(Debug, Args)]
pub struct CaArgs {
    #[command(subcommand)]
    command: CaCommand,
}

#[derive(Debug, Subcommand)]
enum CaCommand {
    /// Make, list and revoke join tokens.
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Print the trusted root certificates in PEM.
    Root {
        #[command(flatten)]
        state: StateArgs,
        /// How to print.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Make a token with which a proxy obtains its first certificate.
    Create {
        #[command(flatten)]
        state: StateArgs,
        /// Namespace that the token speaks for.
        #[arg(long, short)]
        namespace: String,
        /// Service account that the token speaks for.
        #[arg(long)]
        service_account: String,
        /// How long it is good, such as `90s`, `10m` or `24h`.
        #[arg(long, default_value = "10m", value_parser = humantime::parse_duration)]
        ttl: Duration,
        /// How many certificates it obtains.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        uses: u32,
        /// How to print.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// List outstanding tokens, without their secrets.
    List {
        #[command(flatten)]
        state: StateArgs,
        /// How to print.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Make a token useless. Certificates that it already obtained stay good until they expire.
    Revoke {
        #[command(flatten)]
        state: StateArgs,
        /// The id: the second part of the token, as `list` shows it.
        id: String,
    },
}

#[derive(Debug, Args)]
struct StateArgs {
    /// The operator's state directory; created, with a new root, if it is not there.
    #[arg(long, env = "WEFT_STATE_DIR")]
    state_dir: PathBuf,
    /// The plugged-in issuer that the operator was started with, if it was.
    #[arg(long, env = "WEFT_CA_DIR")]
    ca_dir: Option<PathBuf>,
    /// Trust domain of a root that has to be made.
    #[arg(long, env = "WEFT_TRUST_DOMAIN", default_value = "cluster.local")]
    trust_domain: String,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Output {
    /// For people; a new token alone on its line, so that a shell can take it.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

/// Runs `weft ca`.
pub fn run(args: CaArgs) -> anyhow::Result<ExitCode> {
    let now = OffsetDateTime::now_utc();
    match args.command {
        CaCommand::Root { state, output } => {
            let authority = state.authority()?;
            match output {
                Output::Text => output::write(&authority.roots_pem())?,
                Output::Json => line(json!({"pem": authority.roots_pem(), "sha256": authority.root_hash()}))?,
            }
        }
        CaCommand::Token { command } => match command {
            TokenCommand::Create { state, namespace, service_account, ttl, uses, output } => {
                let root_hash = state.authority()?.root_hash();
                let wish = NewToken { namespace, service_account, ttl, uses };
                let (token, record) = state.tokens()?.create(&wish, &root_hash, now).map_err(|error| {
                    StartupError::new("cannot make a join token", error, "see `weft ca token create --help`")
                })?;
                match output {
                    Output::Text => line(token.reveal())?,
                    Output::Json => line(json!({
                        "token": token.reveal(),
                        "id": record.id,
                        "namespace": record.namespace,
                        "serviceAccount": record.service_account,
                        "expiresAt": record.expires_at.format(&Rfc3339)?,
                        "uses": record.uses_left,
                        "rootHash": root_hash,
                    }))?,
                }
            }
            TokenCommand::List { state, output } => {
                let records = state.tokens()?.list(now)?;
                match output {
                    Output::Json => {
                        let mut shown = serde_json::to_value(&records)?;
                        for record in shown.as_array_mut().into_iter().flatten() {
                            record.as_object_mut().map(|record| record.remove("secretSha256"));
                        }
                        line(shown)?;
                    }
                    Output::Text => {
                        let mut text = format!("{:<16}  {:<40}  {:>5}  EXPIRES\n", "ID", "IDENTITY", "USES");
                        for record in records {
                            let identity = format!("{}/{}", record.namespace, record.service_account);
                            let expires = record.expires_at.format(&Rfc3339)?;
                            text += &format!("{:<16}  {identity:<40}  {:>5}  {expires}\n", record.id, record.uses_left);
                        }
                        output::write(&text)?;
                    }
                }
            }
            TokenCommand::Revoke { state, id } => {
                if !state.tokens()?.revoke(&id)? {
                    anyhow::bail!("no token {id}: it was used up, has expired, or was never made here");
                }
                line(format!("revoked {id}"))?;
            }
        },
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a line; `println` would panic when nobody reads any more.
fn line(text: impl std::fmt::Display) -> anyhow::Result<()> {
    output::write(&format!("{text}\n"))
}

impl StateArgs {
    fn authority(&self) -> Result<Authority, StartupError> {
        // Nothing is signed here, so the lifetime does not matter.
        let ttl = weft_operator::ca::authority::MIN_TTL;
        match &self.ca_dir {
            Some(dir) => Authority::load_plugged_in(dir, &self.trust_domain, ttl),
            None => Authority::load_or_create(&StateDir::open(&self.state_dir)?, &self.trust_domain, ttl),
        }
    }

    fn tokens(&self) -> Result<TokenStore, StartupError> {
        TokenStore::open(&StateDir::open(&self.state_dir)?)
    }
}
