//! Join tokens on a cluster: the same records, as keys of one Secret that every replica reads and writes.
//!
//! A use is taken by an update that names the resource version it was read at, so that of any number of replicas as many
//! redeem a token as it has uses.

use std::time::Duration;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use time::OffsetDateTime;
use tokio::time::timeout;

use super::tokens::{CreateError, JoinToken, NewToken, RedeemError, TokenRecord, mint, spend, valid_id};

/// The Secret with the records.
pub const SECRET: &str = weft_install::names::JOIN_TOKEN_SECRET;
/// Updates that lose to others before a request is given up.
const ATTEMPTS: u32 = 8;
/// Time for one request to the API server.
const PATIENCE: Duration = Duration::from_secs(5);

/// The records in Secret `weft-join-tokens` of the installation's namespace.
#[derive(Clone)]
pub struct ClusterTokens {
    secrets: Api<Secret>,
}

impl ClusterTokens {
    /// Records in `namespace`.
    pub fn new(client: Client, namespace: &str) -> Self {
        Self { secrets: Api::namespaced(client, namespace) }
    }

    /// Makes a token and its record. Expired records are removed on the way.
    pub async fn create(
        &self,
        wish: &NewToken,
        root_hash: &str,
        now: OffsetDateTime,
    ) -> Result<(JoinToken, TokenRecord), CreateError> {
        let (token, record) = mint(wish, root_hash, now)?;
        let encoded = encode(&record).map_err(|error| CreateError::Cluster(Box::new(error)))?;
        for _ in 0..ATTEMPTS {
            let found = within(self.secrets.get_opt(SECRET)).await.map_err(CreateError::Cluster)?;
            let written = match found {
                None => within(self.secrets.create(&PostParams::default(), &fresh(&record.id, encoded.clone()))).await,
                Some(mut secret) => {
                    let data = secret.data.get_or_insert_default();
                    data.retain(|_, bytes| decode(bytes).is_some_and(|record| record.expires_at > now));
                    data.insert(record.id.clone(), encoded.clone());
                    within(self.secrets.replace(SECRET, &PostParams::default(), &secret)).await
                }
            };
            match written {
                Ok(_) => return Ok((token, record)),
                Err(error) if lost(&error) => {}
                Err(error) => return Err(CreateError::Cluster(error)),
            }
        }
        Err(CreateError::Io(std::io::Error::other("others change the records again and again")))
    }

    /// Outstanding tokens, soonest to expire first.
    pub async fn list(&self, now: OffsetDateTime) -> Result<Vec<TokenRecord>, Box<kube::Error>> {
        let secret = within(self.secrets.get_opt(SECRET)).await?.unwrap_or_default();
        let records = secret.data.unwrap_or_default();
        let mut records: Vec<_> = records.values().filter_map(decode).filter(|r| r.expires_at > now).collect();
        records.sort_by(|a, b| (a.expires_at, &a.id).cmp(&(b.expires_at, &b.id)));
        Ok(records)
    }

    /// Takes one use of a token and tells whom it speaks for.
    pub async fn redeem(
        &self,
        presented: &str,
        trusts_root: impl Fn(&str) -> bool,
        now: OffsetDateTime,
    ) -> Result<TokenRecord, RedeemError> {
        let token: JoinToken = presented.parse()?;
        for _ in 0..ATTEMPTS {
            let found = within(self.secrets.get_opt(SECRET)).await.map_err(RedeemError::Cluster)?;
            let mut secret = found.ok_or(RedeemError::Unknown)?;
            let spent = take(&mut secret, &token, &trusts_root, now)?;
            match within(self.secrets.replace(SECRET, &PostParams::default(), &secret)).await {
                Ok(_) => return Ok(spent),
                Err(error) if lost(&error) => {}
                Err(error) => return Err(RedeemError::Cluster(error)),
            }
        }
        Err(RedeemError::Contended)
    }
}

/// Takes one use in the Secret as read; the update that writes it back decides whether it counts.
fn take(
    secret: &mut Secret,
    token: &JoinToken,
    trusts_root: impl Fn(&str) -> bool,
    now: OffsetDateTime,
) -> Result<TokenRecord, RedeemError> {
    let data = secret.data.get_or_insert_default();
    let record = data.get(token.id()).and_then(decode).filter(|record| record.id == token.id());
    let spent = spend(token, record.ok_or(RedeemError::Unknown)?, trusts_root, now)?;
    if spent.uses_left == 0 {
        data.remove(token.id());
    } else {
        data.insert(token.id().to_owned(), encode(&spent).map_err(|error| RedeemError::Cluster(Box::new(error)))?);
    }
    Ok(spent)
}

fn fresh(id: &str, record: ByteString) -> Secret {
    let labels = [("app.kubernetes.io/managed-by", "weft-operator"), ("app.kubernetes.io/part-of", "weft")];
    Secret {
        metadata: ObjectMeta {
            name: Some(SECRET.to_owned()),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            ..ObjectMeta::default()
        },
        data: Some([(id.to_owned(), record)].into()),
        type_: Some("Opaque".into()),
        ..Secret::default()
    }
}

fn encode(record: &TokenRecord) -> Result<ByteString, kube::Error> {
    serde_json::to_vec(record).map(ByteString).map_err(kube::Error::SerdeError)
}

fn decode(bytes: &ByteString) -> Option<TokenRecord> {
    let record: TokenRecord = serde_json::from_slice(&bytes.0).ok()?;
    (valid_id(&record.id) && record.uses_left > 0).then_some(record)
}

/// Whether somebody else wrote first.
fn lost(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_conflict() || status.is_already_exists() || status.is_not_found())
}

async fn within<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, Box<kube::Error>> {
    match timeout(PATIENCE, request).await {
        Ok(answer) => answer.map_err(Box::new),
        Err(_) => {
            let late = std::io::Error::new(std::io::ErrorKind::TimedOut, "the API server did not answer in time");
            Err(Box::new(kube::Error::Service(late.into())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(uses: u32) -> NewToken {
        NewToken { namespace: "vms".into(), service_account: "db".into(), ttl: Duration::from_secs(60), uses }
    }

    #[test]
    fn a_use_is_taken_and_the_last_one_removes_the_record() {
        let now = OffsetDateTime::now_utc();
        let (token, record) = mint(&wish(2), &"a".repeat(64), now).unwrap();
        let mut secret = fresh(&record.id, encode(&record).unwrap());
        let text = String::from_utf8(secret.data.as_ref().unwrap()[&record.id].0.clone()).unwrap();
        assert!(!text.contains(token.reveal().split('.').nth(2).unwrap()), "only the hash is kept");
        assert_eq!(take(&mut secret, &token, |_| true, now).unwrap().uses_left, 1);
        assert!(matches!(take(&mut secret, &token, |_| false, now), Err(RedeemError::Root)));
        let late = now + Duration::from_secs(61);
        assert!(matches!(take(&mut secret, &token, |_| true, late), Err(RedeemError::Expired(_))));
        assert_eq!(take(&mut secret, &token, |_| true, now).unwrap().uses_left, 0);
        assert!(matches!(take(&mut secret, &token, |_| true, now), Err(RedeemError::Unknown)));
        assert!(secret.data.unwrap().is_empty());
    }

    #[test]
    fn a_record_under_another_name_is_not_believed() {
        let now = OffsetDateTime::now_utc();
        let (token, mut record) = mint(&wish(1), &"a".repeat(64), now).unwrap();
        record.id = "0000000000000000".into();
        let mut secret = fresh(token.id(), encode(&record).unwrap());
        assert!(matches!(take(&mut secret, &token, |_| true, now), Err(RedeemError::Unknown)));
        secret.data = Some([(token.id().to_owned(), ByteString(b"garbage".to_vec()))].into());
        assert!(matches!(take(&mut secret, &token, |_| true, now), Err(RedeemError::Unknown)));
    }
}
