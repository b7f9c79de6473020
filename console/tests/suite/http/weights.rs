//! Weights moved and brought back over HTTP, on a directory of their own.

use super::*;

#[tokio::test]
async fn weights_are_moved_and_brought_back() {
    let console = Running::start(&[]).await;
    let canary = console.json("/api/v1/canaries").await["canaries"][0].clone();
    let edit = |weights: Value| json!({"object": canary["object"], "routeIndex": 1, "weights": weights, "revision": canary["revision"]});

    let (status, preview) = console.post("/api/v1/canaries/preview", &edit(json!([50, 50]))).await;
    assert_eq!(status, 200, "{preview}");
    let diff = preview["diff"].as_str().unwrap();
    assert!(diff.contains("-      weight: 90 # most\n+      weight: 50 # most"), "{diff}");
    assert_eq!(preview["newFindings"], json!([]));
    let command = preview["command"].as_str().unwrap();
    assert!(command.contains(r#"{"op":"test","path":"/spec/http/1/route/0/weight","value":90}"#), "{command}");
    assert_eq!(console.text("orders.yaml"), ORDERS, "a preview writes nothing");

    let (_, odd) = console.post("/api/v1/canaries/preview", &edit(json!([50, 40]))).await;
    assert_eq!(odd["newFindings"][0]["code"], "WEFT0104", "{odd}");
    assert_eq!(odd["newFindings"].as_array().map(Vec::len), Some(1), "{odd}");

    for (wrong, code) in
        [(json!([50]), 400), (json!([0, 0]), 400), (json!([3_000_000_000u32, 1]), 400), (json!([50, 60]), 422)]
    {
        let (status, problem) = console.post("/api/v1/canaries/apply", &edit(wrong)).await;
        assert_eq!(status.as_u16(), code, "{problem}");
    }
    let mut nowhere = edit(json!([50, 50]));
    nowhere["routeIndex"] = json!(0);
    assert_eq!(console.post("/api/v1/canaries/apply", &nowhere).await.0, 404);

    let (status, first) = console.post("/api/v1/canaries/apply", &edit(json!([50, 50]))).await;
    assert_eq!(status, 200, "{first}");
    let moved = ORDERS.replace("weight: 90", "weight: 50").replace("weight: 10", "weight: 50");
    assert_eq!(console.text("orders.yaml"), moved);
    // The answer comes when the change shows.
    let now = console.json("/api/v1/canaries").await["canaries"][0].clone();
    assert_eq!((&now["shares"][0]["configuredPercent"], &now["revision"]), (&json!(50.0), &first["revision"]));
    // The old revision is gone.
    let (status, conflict) = console.post("/api/v1/canaries/apply", &edit(json!([0, 100]))).await;
    assert_eq!((status.as_u16(), &conflict["type"]), (409, &json!("conflict")));

    let undo = format!("/api/v1/edits/{}/undo", first["id"].as_str().unwrap());
    let (status, back) = console.post(&undo, &json!({})).await;
    assert_eq!(status, 200, "{back}");
    assert_eq!(console.text("orders.yaml"), ORDERS);
    assert_eq!(console.post(&undo, &json!({})).await.0, 409, "an edit is undone once");
    assert_eq!(console.post("/api/v1/edits/none/undo", &json!({})).await.0, 404);
    console.stop().await;
}

#[tokio::test]
async fn undo_leaves_what_others_wrote() {
    let console = Running::start(&[]).await;
    let canary = console.json("/api/v1/canaries").await["canaries"][0].clone();
    let edit =
        json!({"object": canary["object"], "routeIndex": 1, "weights": [0, 100], "revision": canary["revision"]});
    let (status, done) = console.post("/api/v1/canaries/apply", &edit).await;
    assert_eq!(status, 200, "{done}");
    let undo = format!("/api/v1/edits/{}/undo", done["id"].as_str().unwrap());
    // Somebody adds a comment elsewhere in the file: the weights still are the edit's own.
    let commented = format!("# by hand\n{}", console.text("orders.yaml"));
    std::fs::write(console.file("orders.yaml"), &commented).unwrap();
    until("the comment is noticed", async || {
        let now = console.json("/api/v1/canaries").await["canaries"][0]["revision"].clone();
        (now != done["revision"]).then_some(())
    })
    .await;
    let (status, answer) = console.post(&undo, &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(console.text("orders.yaml"), format!("# by hand\n{ORDERS}"));
    console.stop().await;
}

/// The way back that is kept names a file; where that has another name by now, the weights are still known.
#[tokio::test]
async fn weights_are_brought_back_in_a_file_that_was_renamed() {
    let console = Running::start(&[]).await;
    let canary = console.json("/api/v1/canaries").await["canaries"][0].clone();
    let edit =
        json!({"object": canary["object"], "routeIndex": 1, "weights": [50, 50], "revision": canary["revision"]});
    let (status, done) = console.post("/api/v1/canaries/apply", &edit).await;
    assert_eq!(status, 200, "{done}");
    let undo = format!("/api/v1/edits/{}/undo", done["id"].as_str().unwrap());
    std::fs::rename(console.file("orders.yaml"), console.file("renamed.yaml")).unwrap();
    // Until the console has read it, there is no such file and no such route either.
    until("the file is noticed, and the weights go back", async || {
        let (status, _) = console.post(&undo, &json!({})).await;
        (status == 200).then_some(())
    })
    .await;
    assert_eq!(console.text("renamed.yaml"), ORDERS);
    assert!(!console.file("orders.yaml").exists(), "nothing is written where it was");
    console.stop().await;
}
