//! Forms whose fields are fields of the object: faults, timeouts and retries of a route, bounds of a DestinationRule.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use weft_model::wizard::{Control, Field, Part};

use super::{
    Change, Form,
    doc::{get, list, routes, rule, set},
    field::{With as _, field, line, number_fault, time_fault},
    scene::Scene,
};

/// Which route is changed; nothing where there is no choice.
pub(super) fn route_field(scene: &Scene, route: &str) -> Option<Part<Value>> {
    if scene.words.is_empty() {
        return None;
    }
    let options = scene.words.iter().enumerate();
    let mut options: Vec<(String, String)> =
        options.map(|(index, (who, outcome))| (index.to_string(), format!("{who} {outcome}"))).collect();
    if scene.usual_route().is_none() {
        options.push((String::new(), "All other requests (a new route)".to_owned()));
    }
    let known = options.iter().any(|(value, _)| value == route);
    let fault = (!known).then(|| "Choose one of the routes that are there.".to_owned());
    let field = field("/route", "Route", Control::Choice).offers(options).resets().wrong(fault);
    Some(Part { title: "Requests".into(), rows: vec![line([field])], ..Part::default() })
}

/// How a setting is checked.
#[derive(Clone, Copy)]
enum Sort {
    Time,
    /// Range, and whether it is whole.
    Number(f64, f64, bool),
    Text,
}

/// One setting: its name in the form, its path in the object, and how it is asked.
struct Setting {
    name: &'static str,
    path: &'static [&'static str],
    label: &'static str,
    sort: Sort,
    unit: &'static str,
    hint: &'static str,
}

const fn setting(name: &'static str, path: &'static [&'static str], label: &'static str, sort: Sort) -> Setting {
    Setting { name, path, label, sort, unit: "", hint: "" }
}

impl Setting {
    const fn says(mut self, unit: &'static str, hint: &'static str) -> Self {
        self.unit = unit;
        self.hint = hint;
        self
    }

    fn field(&self, value: &Value) -> Field {
        let (control, fault) = match self.sort {
            Sort::Time => (Control::Text, time_fault(value.as_str().unwrap_or_default())),
            Sort::Number(from, to, whole) => {
                let fault = match value.as_f64() {
                    None if !value.is_null() => Some("Write a number.".to_owned()),
                    number => number_fault(number, from..=to, whole),
                };
                (Control::Number, fault)
            }
            Sort::Text => (Control::Text, None),
        };
        field(format!("/{}", self.name), self.label, control).unit(self.unit).hint(self.hint).wrong(fault)
    }

    /// What the object has; nothing is null for a number and empty for a text.
    fn read(&self, at: &Value) -> Value {
        let value = get(at, self.path);
        match self.sort {
            Sort::Number(..) => value.as_f64().map_or(Value::Null, |_| value.clone()),
            _ => value.as_str().map_or_else(|| json!(""), |text| json!(text)),
        }
    }

    fn write(&self, at: &mut Value, value: &Value) {
        let value = match value.as_f64() {
            Some(whole) if whole.fract() == 0.0 && whole.abs() < 1e9 => json!(whole as i64),
            _ => value.clone(),
        };
        set(at, self.path, value);
    }
}

/// Declares a form of settings: a struct with one JSON value a field, and the table that they are read and written by.
macro_rules! settings {
    ($(#[$doc:meta])* $name:ident, $which:ident, $table:ident: [$($setting:expr),* $(,)?]) => {
        const $table: &[Setting] = &[$($setting),*];

        $(#[$doc])*
        #[derive(Debug, Default, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub(super) struct $name {
            /// What of the object is changed.
            #[serde(default)]
            $which: String,
            #[serde(flatten)]
            values: serde_json::Map<String, Value>,
        }

        impl $name {
            fn read(which: String, at: &Value) -> Self {
                let mut form = Self { $which: which, values: serde_json::Map::new() };
                form.complete(at);
                form
            }

            /// What is left out is as the object has it.
            fn complete(&mut self, at: &Value) {
                for setting in $table {
                    self.values.entry(setting.name).or_insert_with(|| setting.read(at));
                }
            }

            fn value(&self, name: &str) -> &Value {
                self.values.get(name).unwrap_or(&Value::Null)
            }

            fn write(&self, at: &mut Value) {
                $table.iter().for_each(|setting| setting.write(at, self.value(setting.name)));
            }

            fn part(&self, title: &str, about: &str, names: &[&str]) -> Part<Value> {
                let fields = $table.iter().filter(|setting| names.contains(&setting.name));
                let rows = vec![line(fields.map(|setting| setting.field(self.value(setting.name))))];
                Part { title: title.into(), about: about.into(), rows, ..Part::default() }
            }

            fn unknown(&self) -> Vec<String> {
                let unknown = self.values.keys().filter(|name| $table.iter().all(|setting| setting.name != *name));
                unknown.map(|name| format!("The form has no field {name}.")).collect()
            }
        }
    };
}

const PERCENT: Sort = Sort::Number(0.0, 100.0, false);
const COUNT: Sort = Sort::Number(0.0, 1_000_000.0, true);
const BOUND: Sort = Sort::Number(1.0, 1_000_000.0, true);

settings!(
    /// Delays and errors on purpose.
    Faults, route, FAULTS: [
        setting("delay", &["fault", "delay", "fixedDelay"], "Delay", Sort::Time).says("", "none; such as 500ms"),
        setting("delayPercent", &["fault", "delay", "percentage", "value"], "of requests", PERCENT).says("%", ""),
        setting("abortStatus", &["fault", "abort", "httpStatus"], "Status", Sort::Number(200.0, 599.0, true)).says("", "none"),
        setting("abortPercent", &["fault", "abort", "percentage", "value"], "of requests", PERCENT).says("%", ""),
    ]
);

settings!(
    /// How long a request may take, and how often it is tried.
    Timeouts, route, TIMEOUTS: [
        setting("timeout", &["timeout"], "Timeout", Sort::Time).says("", "none; such as 3s"),
        setting("attempts", &["retries", "attempts"], "Tries again", Sort::Number(0.0, 100.0, true)).says("times", "2"),
        setting("perTryTimeout", &["retries", "perTryTimeout"], "Each within", Sort::Time).says("", "the timeout"),
        setting("retryOn", &["retries", "retryOn"], "After", Sort::Text)
            .says("", "connect-failure,refused-stream,unavailable,cancelled,503"),
    ]
);

settings!(
    /// Bounds of connections and requests, and leaving out what fails.
    CircuitBreaking, subset, BREAKING: [
        setting("maxConnections", &["trafficPolicy", "connectionPool", "tcp", "maxConnections"], "Connections", BOUND).says("", "no bound"),
        setting("connectTimeout", &["trafficPolicy", "connectionPool", "tcp", "connectTimeout"], "Connect within", Sort::Time).says("", "10s"),
        setting("maxPendingRequests", &["trafficPolicy", "connectionPool", "http", "http1MaxPendingRequests"], "Waiting requests", BOUND).says("", "no bound"),
        setting("maxRequests", &["trafficPolicy", "connectionPool", "http", "http2MaxRequests"], "Requests under way", BOUND).says("", "no bound"),
        setting("maxRequestsPerConnection", &["trafficPolicy", "connectionPool", "http", "maxRequestsPerConnection"], "Requests per connection", COUNT).says("", "no bound"),
        setting("maxRetries", &["trafficPolicy", "connectionPool", "http", "maxRetries"], "Retries under way", COUNT).says("", "no bound"),
        setting("consecutiveErrors", &["trafficPolicy", "outlierDetection", "consecutive5xxErrors"], "Errors in a row", COUNT).says("", "off"),
        setting("interval", &["trafficPolicy", "outlierDetection", "interval"], "Looked at every", Sort::Time).says("", "10s"),
        setting("baseEjectionTime", &["trafficPolicy", "outlierDetection", "baseEjectionTime"], "Left out for", Sort::Time).says("", "30s"),
        setting("maxEjectionPercent", &["trafficPolicy", "outlierDetection", "maxEjectionPercent"], "At most", Sort::Number(0.0, 100.0, true)).says("% of endpoints", "10"),
    ]
);

/// The route that is meant, as it is.
pub(super) fn route_of(scene: &Scene, which: &str) -> Value {
    let document = routes(scene);
    let all = list(&document, &["spec", "http"]);
    which
        .parse::<usize>()
        .ok()
        .and_then(|index| all.get(index))
        .cloned()
        .unwrap_or_else(|| json!({ "route": [{ "destination": { "host": scene.host_in(scene.routes.as_ref()) } }] }))
}

/// The route that is changed when nobody says which.
pub(super) fn usual(scene: &Scene) -> String {
    let index = if scene.routes.is_some() { scene.usual_route() } else { Some(0) };
    index.map(|index| index.to_string()).unwrap_or_default()
}

/// The VirtualService with another route.
fn with_route(scene: &Scene, which: &str, title: &str, route: Value) -> Vec<Change> {
    let mut document = routes(scene);
    let mut http = list(&document, &["spec", "http"]).to_vec();
    let before = http.clone();
    match which.parse::<usize>().ok().and_then(|index| http.get_mut(index)) {
        Some(place) => *place = route,
        None if route != route_of(scene, which) => http.push(route),
        None => {}
    }
    // A new object that says what holds without it is not worth making.
    if scene.routes.is_none() && http == before {
        return Vec::new();
    }
    set(&mut document, &["spec", "http"], Value::Array(http));
    vec![Change { title: title.into(), of: scene.routes.clone(), value: document }]
}

/// The route that a form is about; the one for everybody else where it names none yet.
fn chosen(route: &mut String, scene: &Scene) -> Value {
    if route.is_empty() {
        *route = usual(scene);
    }
    route_of(scene, route)
}

/// Whether two fields only make sense together.
fn both(form: &serde_json::Map<String, Value>, one: &str, other: &str) -> Option<bool> {
    let given = |name: &str| form.get(name).is_some_and(|value| !value.is_null() && value.as_str() != Some(""));
    (given(one) != given(other)).then(|| given(one))
}

impl Form for Faults {
    fn start(scene: &Scene) -> Self {
        Self::read(usual(scene), &route_of(scene, &usual(scene)))
    }

    fn fill(&mut self, scene: &Scene) {
        let route = chosen(&mut self.route, scene);
        self.complete(&route);
    }

    fn parts(&self, scene: &Scene) -> Vec<Part<Value>> {
        let mut parts: Vec<_> = route_field(scene, &self.route).into_iter().collect();
        parts.push(self.part("Delay", "Requests wait before they are sent on.", &["delay", "delayPercent"]));
        parts.push(self.part(
            "Error",
            "Requests are answered by the proxy and go nowhere.",
            &["abortStatus", "abortPercent"],
        ));
        parts
    }

    fn problems(&self, _: &Scene) -> Vec<String> {
        let mut out = self.unknown();
        out.extend(both(&self.values, "delay", "delayPercent").map(|time| {
            if time { "Say what share of requests is delayed." } else { "Say how long requests are delayed." }
                .to_owned()
        }));
        out.extend(both(&self.values, "abortStatus", "abortPercent").map(|status| {
            if status { "Say what share of requests gets the error." } else { "Say with which status requests fail." }
                .to_owned()
        }));
        out
    }

    fn notes(&self, scene: &Scene) -> Vec<String> {
        let mut notes = scene.usual_notes();
        notes.push(
            "These hold for every caller in the mesh. To hurt only tests, make a route for their header first."
                .to_owned(),
        );
        notes
    }

    fn changes(&self, scene: &Scene) -> Vec<Change> {
        let mut route = route_of(scene, &self.route);
        self.write(&mut route);
        with_route(scene, &self.route, "Faults", route)
    }
}

impl Form for Timeouts {
    fn start(scene: &Scene) -> Self {
        Self::read(usual(scene), &route_of(scene, &usual(scene)))
    }

    fn fill(&mut self, scene: &Scene) {
        let route = chosen(&mut self.route, scene);
        self.complete(&route);
    }

    fn parts(&self, scene: &Scene) -> Vec<Part<Value>> {
        let mut parts: Vec<_> = route_field(scene, &self.route).into_iter().collect();
        parts.push(self.part("Timeout", "All tries together; then the caller gets 504.", &["timeout"]));
        parts.push(self.part("Retries", "0 turns them off.", &["attempts", "perTryTimeout", "retryOn"]));
        parts
    }

    fn problems(&self, _: &Scene) -> Vec<String> {
        self.unknown()
    }

    fn notes(&self, scene: &Scene) -> Vec<String> {
        scene.usual_notes()
    }

    fn changes(&self, scene: &Scene) -> Vec<Change> {
        let mut route = route_of(scene, &self.route);
        self.write(&mut route);
        with_route(scene, &self.route, "Timeouts and retries", route)
    }
}

/// What a DestinationRule says of a subset, of the whole host without one.
fn place<'a>(rule: &'a mut Value, subset: &str) -> Option<&'a mut Value> {
    let spec = rule.get_mut("spec")?;
    if subset.is_empty() {
        return Some(spec);
    }
    spec.get_mut("subsets")?.as_array_mut()?.iter_mut().find(|one| one["name"] == subset)
}

impl Form for CircuitBreaking {
    fn start(scene: &Scene) -> Self {
        Self::read(String::new(), &rule(scene)["spec"])
    }

    fn fill(&mut self, scene: &Scene) {
        let mut rule = rule(scene);
        if let Some(place) = place(&mut rule, &self.subset.clone()) {
            self.complete(place);
        }
    }

    fn parts(&self, scene: &Scene) -> Vec<Part<Value>> {
        let mut parts = Vec::new();
        if !scene.subsets.is_empty() {
            let all = (String::new(), format!("All of {}", scene.name));
            let subsets = scene.subsets.iter().map(|subset| (subset.clone(), format!("Subset {subset} alone")));
            let known = self.subset.is_empty() || scene.subsets.contains(&self.subset);
            let fault = (!known).then(|| "There is no such subset.".to_owned());
            let which = field("/subset", "Holds for", Control::Choice)
                .offers(std::iter::once(all).chain(subsets))
                .resets()
                .wrong(fault);
            parts.push(Part { title: "Calls".into(), rows: vec![line([which])], ..Part::default() });
        }
        parts.push(self.part("Connections", "Of each calling proxy.", &["maxConnections", "connectTimeout"]));
        parts.push(self.part(
            "Requests",
            "What is beyond fails at once with 503.",
            &["maxPendingRequests", "maxRequests", "maxRequestsPerConnection", "maxRetries"],
        ));
        parts.push(self.part(
            "Endpoints that fail",
            "They are left out for a while.",
            &["consecutiveErrors", "interval", "baseEjectionTime", "maxEjectionPercent"],
        ));
        parts
    }

    fn problems(&self, _: &Scene) -> Vec<String> {
        self.unknown()
    }

    fn notes(&self, _: &Scene) -> Vec<String> {
        Vec::new()
    }

    fn changes(&self, scene: &Scene) -> Vec<Change> {
        let mut document = rule(scene);
        let Some(place) = place(&mut document, &self.subset) else { return Vec::new() };
        let before = place.clone();
        self.write(place);
        if scene.rule.is_none() && *place == before {
            return Vec::new();
        }
        vec![Change { title: "Circuit breaking".into(), of: scene.rule.clone(), value: document }]
    }
}
