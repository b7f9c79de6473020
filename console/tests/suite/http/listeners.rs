//! How many pages listen, and whose.

use super::*;

#[tokio::test]
async fn one_person_leaves_room_for_the_pages_of_others() {
    let roles = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(roles.path(), "g, ada, role:viewer\ng, bo, role:viewer\n").unwrap();
    let roles = format!("--roles-file={}", roles.path().display());
    let flags = ["--public-url=http://127.0.0.1:20001", "--trusted-proxies=127.0.0.1/32", &roles];
    let console = Running::start(&flags).await;
    let listen = async |who: &str| {
        let request = console.request(Method::GET, "/api/v1/events").header("x-forwarded-user", who);
        request.send().await.unwrap()
    };
    let mut adas = Vec::new();
    for n in 0..8 {
        let stream = listen("ada").await;
        assert_eq!(stream.status(), 200, "stream {n}");
        adas.push(stream);
    }
    let refused = listen("ada").await;
    assert_eq!(refused.headers()[header::RETRY_AFTER], "30");
    let (status, told) = problem(refused).await;
    assert_eq!((status, &told["type"]), (429, &json!("too-many-own-pages")), "{told}");
    assert_eq!(told["title"], "8 pages of ada listen to this console, and no more may.");
    assert_eq!(listen("bo").await.status(), 200, "another's are counted apart");
    drop(adas);
    until("those that were closed make room", async || (listen("ada").await.status() == 200).then_some(())).await;
    console.stop().await;
}
