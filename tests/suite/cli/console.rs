//! `weft console` against the demo's console: signed in by its link, each view for people and as JSON.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
    time::Duration,
};

use serde_json::Value;
use weft_tests::{
    browser::Browser,
    demo::Demo,
    process::{program, root},
    wait::{ensure, until},
};

const SOON: Duration = Duration::from_secs(60);

/// Somebody at a terminal with a home of their own.
struct Terminal {
    demo: Demo,
    home: tempfile::TempDir,
}

impl Terminal {
    fn open() -> Self {
        Self { demo: Demo::start(&["--sign-in=link"]), home: tempfile::tempdir().unwrap() }
    }

    fn run_with(&self, variables: &[(&str, &str)], args: &[&str]) -> Output {
        let mut command = Command::new(program("weft"));
        command.arg("console").args(args).current_dir(root());
        command.env("WEFT_CONSOLE", self.demo.text("/console")).env("XDG_STATE_HOME", self.home.path());
        command.env_remove("WEFT_CONSOLE_TOKEN").env_remove("WEFT_CONSOLE_TOKEN_FILE");
        command.envs(variables.iter().copied()).output().expect("weft runs")
    }

    fn run(&self, args: &[&str]) -> Output {
        self.run_with(&[], args)
    }

    fn text(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn json(&self, args: &[&str]) -> Value {
        let text = self.text(&[args, &["-o", "json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error}: {text}"))
    }

    /// The words on standard error of a run that has to fail as other commands do.
    fn refused(&self, variables: &[(&str, &str)], args: &[&str]) -> String {
        let output = self.run_with(variables, args);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {words}");
        assert!(words.starts_with("weft: cannot ") || words.starts_with("weft: http"), "{args:?}: {words}");
        words
    }

    fn sign_in(&self) {
        let link = self.demo.text("/signIn");
        let said = self.text(&["login", &link]);
        let file = fs::read_dir(self.home.path().join("weft/console")).unwrap().next().unwrap().unwrap().path();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
        let secret = fs::read_to_string(&file).unwrap();
        assert!(!secret.trim().is_empty() && !said.contains(secret.trim()), "{said}");
        let again = self.refused(&[], &["login", &link]);
        assert!(again.contains("a link works once") && !again.contains("code="), "{again}");
    }
}

#[tokio::test]
async fn each_view_is_shown_to_people_and_to_programs() {
    let terminal = Terminal::open();
    let nobody = terminal.refused(&[], &["graph"]);
    assert!(nobody.contains("[sign-in, 401]") && nobody.contains("weft console login LINK"), "{nobody}");
    assert!(terminal.text(&["session"]).contains("Nobody is signed in"), "this alone asks for no sign-in");
    terminal.sign_in();
    assert!(terminal.text(&["session"]).starts_with("local admin (session) sees every namespace"));

    let graph = until("the graph has calls with quantiles", SOON, || async {
        let graph = terminal.json(&["graph", "-n", "shop", "--window", "1m"]);
        let edges = graph["edges"].as_array().ok_or_else(|| graph.to_string())?;
        ensure(edges.iter().any(|edge| edge["p95Ms"].is_number()), || graph.to_string())?;
        Ok(graph)
    })
    .await;
    assert_eq!((&graph["view"], graph["windowS"].as_u64()), (&"workload".into(), Some(60)));
    let text = terminal.text(&["graph", "-n", "shop", "--view", "app"]);
    assert!(text.contains("DESTINATION") && text.contains("req/s") && text.contains("by app"), "{text}");
    let past = terminal.json(&["graph", "--at", "1m"]);
    assert_eq!(past["replay"], true, "{past}");

    let canaries = terminal.json(&["canaries", "-n", "shop"]);
    let object = &canaries["canaries"][0]["object"];
    let name = object["name"].as_str().unwrap_or_else(|| panic!("{canaries}")).to_owned();
    let text = terminal.text(&["canaries"]);
    assert!(text.contains(&format!("shop/{name} http[")) && text.contains("CONFIGURED"), "{text}");
    assert!(terminal.text(&["canaries", "-n", "nowhere"]).contains("No weighted route"));

    let routes = terminal.json(&["config", "virtualservices"]);
    let kinds = routes["rows"].as_array().unwrap().iter().map(|row| &row["object"]["kind"]);
    assert!(kinds.clone().count() > 0 && kinds.clone().all(|kind| kind == "VirtualService"), "{routes}");
    let yaml = terminal.text(&["config", "VirtualService", &format!("shop/{name}")]);
    assert!(yaml.contains("kind: VirtualService") && yaml.contains(&name), "{yaml}");
    let one = terminal.json(&["config", "virtualservice", &name, "-n", "shop"]);
    assert_eq!(one["row"]["object"], *object, "{one}");

    for view in ["workloads", "services", "apps", "namespaces"] {
        let list = terminal.json(&[view]);
        let row = &list["rows"][0];
        let own = row["name"].as_str().unwrap_or_else(|| panic!("{view}: {list}"));
        let place =
            if view == "namespaces" { own.to_owned() } else { format!("{}/{own}", row["namespace"].as_str().unwrap()) };
        assert!(terminal.text(&[view]).contains(&place), "{view}");
        let detail = terminal.json(&[view, &place, "--window", "5m"]);
        assert_eq!(detail["row"]["name"], *own, "{view}: {detail}");
        assert!(terminal.text(&[view, &place]).contains("HEALTH"), "{view}");
    }
    let traces = until("traces are kept", SOON, || async {
        let traces = terminal.json(&["traces", "-n", "shop", "--since", "10m"]);
        ensure(traces["traces"].as_array().is_some_and(|rows| rows.len() > 1), || traces.to_string())?;
        Ok(traces)
    })
    .await;
    let id = traces["traces"][0]["traceId"].as_str().unwrap();
    assert!(terminal.text(&["traces"]).contains("ENTERED AT"));
    assert_eq!(terminal.json(&["trace", id])["traceId"], *id);
    assert!(terminal.text(&["trace", id]).contains("application"));
    let none = terminal.json(&["traces", "--tag", "http.response.status_code=799", "--min-ms", "60000"]);
    assert_eq!(none["traces"], serde_json::json!([]));

    assert!(terminal.text(&["traces", "--heat"]).contains("DURATION"));

    let history = terminal.text(&["canaries", "shop/order-service", "--history"]);
    assert!(history.contains("Nobody moved it through this console."), "{history}");
    let course = terminal.json(&["canaries", "order-service", "-n", "shop", "--course", "--window", "5m"]);
    assert_eq!(course["arms"].as_array().map(Vec::len), Some(2), "{course}");
    let charts = terminal.text(&["charts", "workload", "shop/order-service-v1", "--split", "response_code"]);
    assert!(charts.contains("Counted by callers' proxies, and by the called one's"), "{charts}");
    let series = terminal.json(&["charts", "node", "shop/order-service-v1", "--window", "5m"]);
    assert!(series["timesMs"].as_array().is_some_and(|times| !times.is_empty()), "{series}");
    until("its log is written", SOON, || async {
        let logs = terminal.json(&["logs", "shop/order-service-v1", "--lines", "2"]);
        let lines = logs["lines"].as_array().ok_or_else(|| logs.to_string())?;
        let its = |line: &Value| line["instance"] == "order-service-v1" && line["container"] == "proxy";
        ensure(lines.iter().any(its), || logs.to_string())
    })
    .await;
    assert!(terminal.text(&["logs", "order-service-v1", "-n", "shop"]).contains("order-service-v1/proxy  "));
    let proxy = terminal.json(&["proxy", "shop/order-service-v1"]);
    assert_eq!(proxy["row"]["name"], "order-service-v1", "{proxy}");
    let text = terminal.text(&["proxy", "order-service-v1", "-n", "shop"]);
    assert!(text.contains("Sent to it:") && text.contains("In force, listeners:"), "{text}");
    assert!(terminal.text(&["views"]).contains("No view is saved."));
    let about = terminal.json(&["audit", "--about", "workloads/shop/order-service-v1"]);
    assert_eq!(about["entries"], serde_json::json!([]), "nothing of it was changed");

    assert!(terminal.text(&["mesh"]).contains("Control planes:"));
    assert!(terminal.json(&["mesh"])["controlPlanes"].as_array().is_some_and(|planes| !planes.is_empty()));
    assert!(terminal.text(&["status"]).contains("Prometheus"));
    assert!(terminal.json(&["status"])["findings"].is_array());
    let audit = terminal.text(&["audit", "--action", "sign-in"]);
    assert!(audit.contains("local admin") && audit.contains("sign-in"), "{audit}");
    assert!(terminal.json(&["audit"])["entries"].as_array().is_some_and(|entries| !entries.is_empty()));

    pages(&terminal);
    refusals(&terminal);
}

/// Who has a link has no token: what the page shows them to copy works as it stands there, after the sign-in that it names.
#[tokio::test]
async fn what_the_page_offers_somebody_with_a_link_runs_at_a_terminal() {
    let terminal = Terminal::open();
    let demo = &terminal.demo;
    let first = demo.text("/signIn");
    let browser = Browser::start(1440, 900, false).await;
    browser.open(&first).await;
    browser.wait_for("[data-testid=person-name]").await;
    browser.open(&format!("{}/#/canaries", demo.text("/console"))).await;
    browser.click(".scroll > .commands summary").await;
    // The cards' own commands stand before these.
    let note = ".scroll > .commands [data-testid=command-note]";
    browser
        .text_where("what else it takes", note, SOON, |text| {
            text.contains("next link") && text.contains("the cookie of a session")
        })
        .await;
    let script = "return [...document.querySelectorAll('.scroll > .commands pre')].map(line => line.textContent)";
    let lines: Vec<String> = serde_json::from_value(browser.script(script).await).unwrap();
    assert!(lines.iter().all(|line| !line.contains("TOKEN") && !line.starts_with("curl")), "{lines:?}");
    assert_eq!(lines[0], "weft console login LINK");
    assert!(lines[1].starts_with("weft console canaries "), "{lines:?}");
    browser.close().await;

    let next = until("there is another link", SOON, || async {
        let text = fs::read_to_string(demo.text("/signInFile")).map_err(|error| error.to_string())?;
        ensure(text.trim() != first && !text.trim().is_empty(), || "the same".to_owned())?;
        Ok(text.trim().to_owned())
    })
    .await;
    let run = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().skip(2).collect();
        terminal.text(&words)
    };
    run(&lines[0].replace("LINK", &next));
    assert!(run(&lines[1]).contains("VERDICT"), "{}", lines[1]);
    let json = lines.iter().find(|line| line.ends_with("--output json")).unwrap_or_else(|| panic!("{lines:?}"));
    let answer: Value = serde_json::from_str(&run(json)).unwrap();
    assert!(answer["canaries"].as_array().is_some_and(|canaries| !canaries.is_empty()), "{answer}");
}

/// Pages lead to each other, and however small they are nothing is left out.
fn pages(terminal: &Terminal) {
    let names = |list: &Value| -> Vec<String> {
        let rows = list["rows"].as_array().unwrap_or_else(|| panic!("{list}"));
        rows.iter().map(|row| format!("{}/{}", row["namespace"], row["name"])).collect()
    };
    let whole = terminal.json(&["workloads"]);
    assert!(whole.get("next").is_none(), "{whole}");
    let first = terminal.json(&["workloads", "--limit", "2"]);
    let next = first["next"].as_str().unwrap_or_else(|| panic!("{first}"));
    let rest = terminal.json(&["workloads", "--cursor", next]);
    assert_eq!([names(&first), names(&rest)].concat(), names(&whole));
    assert!(terminal.text(&["workloads", "--limit", "2"]).contains(&format!("--cursor {next}")));
}

/// What the console refuses is told with its title, its code and its remedy; a token is told to nobody.
fn refusals(terminal: &Terminal) {
    let nobody = terminal.refused(&[], &["workloads", "shop/nobody"]);
    assert!(nobody.contains("[not-found, 404]"), "{nobody}");
    let window = terminal.refused(&[], &["graph", "--window", "1s"]);
    assert!(window.contains("[bad-request, 400]") && window.contains("A window of 1 s"), "{window}");
    let token = terminal.refused(&[("WEFT_CONSOLE_TOKEN", "ey.secret-token")], &["graph"]);
    assert!(token.contains("401") && !token.contains("secret-token"), "{token}");
    let plain = terminal.refused(&[], &["graph", "--console", "http://192.0.2.1:20001"]);
    assert!(plain.contains("anybody can read"), "{plain}");
    let away = terminal.refused(&[], &["graph", "--console", "http://127.0.0.1:1"]);
    assert!(away.contains("look whether the console runs there"), "{away}");
}
