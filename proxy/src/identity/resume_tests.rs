//! Starting again with what the identity file kept.

use std::path::{Path, PathBuf};

use super::{
    tests::{control_plane, token_file},
    *,
};
use crate::{
    control_plane::testing::FakeOperator,
    state::testing::{node, shared},
    tls::testing::TestCa,
};

/// A proxy that starts: what it has at once, and its keeper.
fn start(
    operator: &FakeOperator,
    credentials: Credentials,
    file: &Path,
) -> Result<(Arc<Shared>, Keeper), StartupError> {
    let shared = shared();
    let file = IdentityFile::new(file.into());
    let keeper = Keeper::resuming(shared.clone(), control_plane(operator), credentials, file)?;
    Ok((shared, keeper))
}

/// Runs until there is another certificate than `before`.
async fn certified(shared: &Arc<Shared>, keeper: Keeper, before: Option<&str>) -> String {
    let shutdown = Shutdown::new();
    let running = tokio::spawn(keeper.run(shutdown.clone()));
    let serial = loop {
        match shared.identity.load_full() {
            Some(identity) if Some(&*identity.serial) != before => break identity.serial.clone(),
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    shutdown.begin();
    running.await.unwrap();
    serial
}

/// A machine that has joined: its first certificate is kept, and its token was asked for.
struct Joined {
    operator: FakeOperator,
    token: tempfile::NamedTempFile,
    join: Credentials,
    file: PathBuf,
    serial: String,
    _dir: tempfile::TempDir,
}

async fn joined() -> Joined {
    let mut operator = FakeOperator::start().await;
    let dir = tempfile::tempdir().unwrap();
    let (file, token) = (dir.path().join("identity.pem"), token_file(&operator.token()));
    let join = Credentials::Join(token.path().into());
    let (shared, keeper) = start(&operator, join.clone(), &file).unwrap();
    let serial = certified(&shared, keeper, None).await;
    assert_eq!(operator.asked.recv().await.unwrap(), Some(format!("Bearer {}", operator.token())));
    Joined { operator, token, join, file, serial, _dir: dir }
}

#[tokio::test]
async fn a_restart_costs_no_token() {
    let Joined { mut operator, token, join, file, serial: first, _dir } = joined().await;
    // The token may be gone by then.
    drop(token);
    for credentials in [join, Credentials::Kept] {
        let (shared, keeper) = start(&operator, credentials, &file).unwrap();
        let kept = shared.identity.load_full().unwrap().serial.clone();
        let renewed = certified(&shared, keeper, Some(&kept)).await;
        assert_eq!(operator.asked.recv().await.unwrap(), None, "asked for with the certificate");
        assert!(renewed != first && renewed != kept);
    }
}

#[tokio::test]
async fn a_file_of_no_use_is_replaced_with_the_token_or_told() {
    let mut operator = FakeOperator::start().await;
    let dir = tempfile::tempdir().unwrap();
    let (file, token) = (dir.path().join("identity.pem"), token_file(&operator.token()));
    let write = |text: &str| {
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    };
    write("garbage");
    let error = start(&operator, Credentials::Kept, &file).err().unwrap().to_string();
    assert!(error.contains("damaged") && error.contains("weft vm join"), "{error}");
    let (shared, keeper) = start(&operator, Credentials::Join(token.path().into()), &file).unwrap();
    assert!(shared.identity.load_full().is_none());
    certified(&shared, keeper, None).await;
    assert!(operator.asked.recv().await.unwrap().is_some());
    start(&operator, Credentials::Kept, &file).unwrap();

    std::fs::remove_file(&file).unwrap();
    let error = start(&operator, Credentials::Kept, &file).err().unwrap().to_string();
    assert!(error.contains("no token is given") && error.contains("weft vm join"), "{error}");
}

#[tokio::test]
async fn a_mesh_that_was_made_anew_is_joined_with_its_token() {
    let mut operator = FakeOperator::start().await;
    let dir = tempfile::tempdir().unwrap();
    let (path, token) = (dir.path().join("identity.pem"), token_file(&operator.token()));
    let before = TestCa::new().issue(&node().spiffe().to_string());
    IdentityFile::new(path.clone()).keep(&Arc::new(before)).await;
    let (_, keeper) = start(&operator, Credentials::Join(token.path().into()), &path).unwrap();
    keeper.ask().await.unwrap();
    assert!(operator.asked.recv().await.unwrap().is_some());

    // Nobody of another mesh gets to see the token.
    let stranger = FakeOperator::start().await;
    let (_, keeper) = start(&stranger, Credentials::Join(token.path().into()), &path).unwrap();
    assert!(matches!(keeper.ask().await, Err(RequestError::Connect(_))));
    let mut stranger = stranger;
    assert!(stranger.asked.try_recv().is_err());
}

#[tokio::test]
async fn a_join_token_that_came_later_is_used_and_one_of_no_use_is_left() {
    let Joined { mut operator, token, join, file, serial: _, _dir } = joined().await;
    let later = operator.token().replace(".id.", ".later.");
    std::fs::write(token.path(), &later).unwrap();
    // The second start finds it used.
    for shown in [Some(format!("Bearer {later}")), None] {
        let (shared, keeper) = start(&operator, join.clone(), &file).unwrap();
        let kept = shared.identity.load_full().expect("in force meanwhile").serial.clone();
        certified(&shared, keeper, Some(&kept)).await;
        assert_eq!(operator.asked.recv().await.unwrap(), shown);
    }

    std::fs::write(token.path(), operator.token().replace(".id.", ".spent.")).unwrap();
    let (_, keeper) = start(&operator, join, &file).unwrap();
    operator.refuse.store(true, Ordering::Relaxed);
    assert!(keeper.ask().await.is_err());
    while operator.asked.try_recv().is_ok() {}
    operator.refuse.store(false, Ordering::Relaxed);
    keeper.ask().await.unwrap();
    assert_eq!(operator.asked.recv().await.unwrap(), None, "the certificate goes on, and the token was tried once");
}

#[tokio::test]
async fn a_join_token_of_another_account_is_tried_once() {
    let Joined { mut operator, token, join, file, serial: _, _dir } = joined().await;
    let own = std::mem::replace(
        &mut *operator.signs_for.lock().unwrap(),
        "spiffe://cluster.local/ns/shop/sa/other".to_owned(),
    );
    std::fs::write(token.path(), operator.token().replace(".id.", ".others.")).unwrap();
    let (_, keeper) = start(&operator, join, &file).unwrap();
    assert!(matches!(keeper.ask().await, Err(RequestError::Answer(_))));
    while operator.asked.try_recv().is_ok() {}
    *operator.signs_for.lock().unwrap() = own;
    keeper.ask().await.unwrap();
    assert_eq!(operator.asked.recv().await.unwrap(), None, "the certificate goes on, and no other use was spent");
}
