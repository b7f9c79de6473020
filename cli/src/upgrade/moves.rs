//! The commands that move workloads to a second control plane, finish the move, or go back.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::{Api, ResourceExt, api::ListParams};
use serde::Serialize;
use serde_json::json;
use weft_api::mesh::DEFAULT_REVISION;
use weft_install::names;

use super::restarts::{self, Restart};
use crate::cluster::{Cluster, explain, meshes::Installation, pods};

const INJECTION: &str = "istio-injection";

/// Commands for people, in order.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Moves {
    /// Move every workload. Each namespace can go by itself.
    pub(super) forward: Vec<String>,
    /// What still has another revision and no rollout restarts, with the revision that it has now: it moves when it is made anew.
    pub(super) by_hand: Vec<String>,
    /// Once nothing runs with the old control plane any more.
    pub(super) finish: Vec<String>,
    /// Move back instead.
    pub(super) back: Vec<String>,
    /// What has moved already and no rollout restarts: it goes back when it is made anew.
    pub(super) back_by_hand: Vec<String>,
}

/// Every namespace.
pub(super) async fn namespaces(cluster: &Cluster) -> anyhow::Result<Vec<Namespace>> {
    let api: Api<Namespace> = Api::all(cluster.client.clone());
    let list = api.list(&ListParams::default()).await.map_err(|error| explain("list namespaces", &error))?;
    Ok(list.items)
}

impl Moves {
    /// From `base` to `new`, the Mesh of `revision` with these tags already. Nothing where there is no base any more. The way
    /// back is for all that has moved before as well: whoever asks half-way gets it whole. There is none to a base that is
    /// being deleted: it injects nothing any more.
    pub(super) fn of(
        base: Option<&Installation>,
        (new, held): (&str, &[String]),
        revision: &str,
        namespaces: &[Namespace],
        pods: &[Pod],
    ) -> Option<Self> {
        let base = base?;
        let (old, name) = (base.spec.revision_label(), &base.name);
        let mut moves = Self::default();
        let (mut moved, mut there) = (BTreeSet::new(), BTreeSet::new());
        // Whether a namespace has moved that may have had the other label before.
        let mut forgotten = false;
        let tagged = |tags: &[String], rev: &str| tags.iter().any(|tag| tag == rev);
        for namespace in namespaces {
            let label = |label: &str| namespace.labels().get(label).map(String::as_str);
            let space = namespace.name_any();
            let command = |change: &str| format!("kubectl label --overwrite namespace {space} {change}");
            let to_base = format!("{}={old}", names::REVISION_LABEL);
            let (forward, back) = match (label(INJECTION), label(names::REVISION_LABEL)) {
                // Istio's rule: this label wins over the revision's.
                (Some("enabled"), _) if old == DEFAULT_REVISION => (
                    format!("{INJECTION}- {}={revision}", names::REVISION_LABEL),
                    format!("{}- {INJECTION}=enabled", names::REVISION_LABEL),
                ),
                // Whoever has the tag `default` answers for it.
                (Some("enabled"), _) if tagged(&base.spec.tags, DEFAULT_REVISION) => {
                    moved.insert(space);
                    continue;
                }
                (Some("enabled"), _) if tagged(held, DEFAULT_REVISION) => {
                    there.insert(space);
                    continue;
                }
                (None, Some(rev)) if rev == old => (format!("{}={revision}", names::REVISION_LABEL), to_base),
                (None, Some(rev)) if tagged(&base.spec.tags, rev) => {
                    moved.insert(space);
                    continue;
                }
                (None, Some(rev)) if rev == revision => {
                    forgotten = old == DEFAULT_REVISION;
                    moves.back.push(command(&to_base));
                    there.insert(space);
                    continue;
                }
                (None, Some(rev)) if tagged(held, rev) => {
                    there.insert(space);
                    continue;
                }
                _ => continue,
            };
            moves.forward.push(command(&forward));
            moves.back.push(command(&back));
            moved.insert(space);
        }
        let tags = |name: &str, tags: &[String]| {
            format!("kubectl patch mesh {name} --type=merge -p '{}'", json!({"spec": {"tags": tags}}))
        };
        let all: BTreeSet<&String> = base.spec.tags.iter().chain(held).collect();
        let all: Vec<String> = all.into_iter().cloned().collect();
        if !base.spec.tags.is_empty() {
            moves.forward.extend([tags(name, &[]), tags(new, &all), taken_up(new)]);
        }
        if !all.is_empty() {
            moves.back.extend([tags(new, &[]), tags(name, &all), taken_up(name)]);
        }
        if forgotten {
            let other = format!("{}- {INJECTION}=enabled", names::REVISION_LABEL);
            moves.back.push(format!("# {other} means the same, where a namespace had that before"));
        }
        moved.append(&mut there);
        // Half-way, a namespace has its label already and some of its pods still have the old proxy.
        let due = proxies(pods, &moved, |found| found != revision);
        moves.forward.extend(restarts::commands(&due));
        moves.by_hand = restarts::by_hand(&due);
        moves.finish.push(format!("weft uninstall --name {name}"));
        if base.leaving {
            moves.back.clear();
        } else {
            moves.back.extend(restarts::commands(&proxies(pods, &moved, |_| true)));
            moves.back_by_hand = restarts::by_hand(&proxies(pods, &moved, |found| found == revision));
            moves.back.push(format!("weft uninstall --name {new}"));
        }
        Some(moves)
    }
}

/// What has a proxy in these namespaces, of a revision that is `due`.
fn proxies(pods: &[Pod], namespaces: &BTreeSet<String>, due: impl Fn(&str) -> bool) -> Vec<Restart> {
    let proxies = pods::proxied(pods).filter(|proxy| !proxy.over() && !proxy.is_gateway());
    proxies
        .filter(|proxy| namespaces.contains(&proxy.pod.namespace().unwrap_or_default()) && due(proxy.revision()))
        .filter(|proxy| pods::stays(proxy.pod))
        .map(|proxy| Restart {
            workload: proxy.workload(),
            revision: proxy.revision().to_owned(),
            pods: 1,
            image: String::new(),
        })
        .collect()
}

/// Waits until a Mesh has its tags: a pod that starts before would get no proxy. A condition counts for kubectl only when it is
/// of the newest generation; one that was seen and refused, such as for a tag that another Mesh still had, is not enough.
fn taken_up(mesh: &str) -> String {
    format!("kubectl wait mesh {mesh} --timeout=2m --for=condition=Reconciled")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{meshes::testing::installation, pods::testing::pod};

    fn namespace(name: &str, labels: serde_json::Value) -> Namespace {
        serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}})).unwrap()
    }

    #[test]
    fn each_namespace_moves_by_the_label_that_it_has() {
        let base = installation(json!({"tags": ["prod"]}), json!({}));
        let namespaces = [
            namespace("shop", json!({"istio-injection": "enabled"})),
            namespace("pay", json!({"istio.io/rev": "default"})),
            namespace("ship", json!({"istio.io/rev": "prod"})),
            namespace("other", json!({"istio.io/rev": "someone-else"})),
            namespace("off", json!({"istio-injection": "disabled"})),
        ];
        let pods = [
            pod("shop", "web-7d9f-a", "weft/proxy:0.1.0", "default"),
            pod("ship", "track-7d9f-a", "weft/proxy:0.1.0", "prod"),
            pod("other", "web-7d9f-a", "weft/proxy:0.1.0", "someone-else"),
        ];
        let moves = Moves::of(Some(&base), ("main-v2", &[]), "v2", &namespaces, &pods).unwrap();
        assert_eq!(
            moves.forward,
            [
                "kubectl label --overwrite namespace shop istio-injection- istio.io/rev=v2",
                "kubectl label --overwrite namespace pay istio.io/rev=v2",
                "kubectl patch mesh main --type=merge -p '{\"spec\":{\"tags\":[]}}'",
                "kubectl patch mesh main-v2 --type=merge -p '{\"spec\":{\"tags\":[\"prod\"]}}'",
                "kubectl wait mesh main-v2 --timeout=2m --for=condition=Reconciled",
                "kubectl -n ship rollout restart deployment/track",
                "kubectl -n shop rollout restart deployment/web",
            ]
        );
        assert_eq!(moves.finish, ["weft uninstall --name main"]);
        assert!(
            moves
                .back
                .contains(&"kubectl label --overwrite namespace shop istio.io/rev- istio-injection=enabled".into())
        );
        assert_eq!(moves.back.last().unwrap(), "weft uninstall --name main-v2");
        assert_eq!(Moves::of(None, ("main-v2", &[]), "v2", &namespaces, &pods), None);
    }

    #[test]
    fn half_way_the_way_back_is_whole() {
        let base = installation(json!({"tags": ["canary"]}), json!({}));
        let namespaces = [
            namespace("shop", json!({"istio.io/rev": "v2"})),
            namespace("ship", json!({"istio.io/rev": "prod"})),
            namespace("pay", json!({"istio.io/rev": "default"})),
        ];
        let pods = [
            pod("shop", "web-7d9f-a", "weft/proxy:0.1.0", "v2"),
            pod("ship", "track-7d9f-a", "weft/proxy:0.1.0", "v2"),
        ];
        let held = ["prod".to_owned()];
        let moves = Moves::of(Some(&base), ("main-v2", &held), "v2", &namespaces, &pods).unwrap();
        let both = r#"'{"spec":{"tags":["canary","prod"]}}'"#;
        assert!(moves.forward.contains(&format!("kubectl patch mesh main-v2 --type=merge -p {both}")));
        assert!(
            !moves.forward.iter().any(|line| line.contains("shop") || line.contains("ship")),
            "{:?}",
            moves.forward
        );
        for line in [
            "kubectl label --overwrite namespace shop istio.io/rev=default",
            "kubectl label --overwrite namespace pay istio.io/rev=default",
            "kubectl patch mesh main-v2 --type=merge -p '{\"spec\":{\"tags\":[]}}'",
            &format!("kubectl patch mesh main --type=merge -p {both}"),
            "kubectl -n ship rollout restart deployment/track",
            "kubectl -n shop rollout restart deployment/web",
        ] {
            assert!(moves.back.iter().any(|found| found == line), "{line}: {:?}", moves.back);
        }
        let none = installation(json!({}), json!({}));
        let moves = Moves::of(Some(&none), ("main-v2", &held), "v2", &namespaces, &pods).unwrap();
        assert!(!moves.forward.iter().any(|line| line.contains("patch")));
        assert!(
            moves.back.contains(&r#"kubectl patch mesh main --type=merge -p '{"spec":{"tags":["prod"]}}'"#.to_owned())
        );
    }

    #[test]
    fn what_has_not_restarted_yet_is_still_to_move() {
        let base = installation(json!({"tags": ["canary"]}), json!({}));
        let namespaces =
            [namespace("shop", json!({"istio.io/rev": "v2"})), namespace("ship", json!({"istio.io/rev": "prod"}))];
        let mut going = pod("shop", "gone-7d9f-a", "weft/proxy:0.1.0", "default");
        going.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        let pods = [
            pod("shop", "web-7d9f-a", "weft/proxy:0.1.0", "v2"),
            pod("shop", "client-7d9f-a", "weft/proxy:0.1.0", "default"),
            pod("ship", "track-7d9f-a", "weft/proxy:0.1.0", "default"),
            going,
        ];
        let held = ["prod".to_owned()];
        let moves = Moves::of(Some(&base), ("main-v2", &held), "v2", &namespaces, &pods).unwrap();
        let restarts: Vec<_> = moves.forward.iter().filter(|line| line.contains("rollout")).collect();
        assert_eq!(
            restarts,
            ["kubectl -n ship rollout restart deployment/track", "kubectl -n shop rollout restart deployment/client"]
        );
    }

    #[test]
    fn what_no_rollout_restarts_is_listed_with_its_revision() {
        let bare = |name: &str, revision: &str| {
            let mut pod = pod("shop", name, "weft/proxy:0.1.0", revision);
            pod.metadata.owner_references = None;
            pod
        };
        let namespaces = [namespace("shop", json!({"istio.io/rev": "v2"}))];
        let pods =
            [bare("one", "default"), bare("two", "v2"), pod("shop", "web-7d9f-a", "weft/proxy:0.1.0", "default")];
        let mut base = installation(json!({}), json!({}));
        let moves = Moves::of(Some(&base), ("main-v2", &[]), "v2", &namespaces, &pods).unwrap();
        assert_eq!(moves.by_hand, ["Pod shop/one (revision default)"], "the other one has moved");
        assert_eq!(moves.back_by_hand, ["Pod shop/two (revision v2)"]);
        assert!(moves.forward.iter().chain(&moves.back).all(|line| !line.contains("one")), "{moves:?}");
        base.leaving = true;
        let moves = Moves::of(Some(&base), ("main-v2", &[]), "v2", &namespaces, &pods).unwrap();
        assert_eq!((moves.by_hand.len(), moves.back_by_hand.len()), (1, 0), "there is no way back");
    }

    #[test]
    fn the_way_back_names_both_labels_where_the_first_one_is_not_known_any_more() {
        let back = |spec: serde_json::Value| {
            let namespaces = [namespace("shop", json!({"istio.io/rev": "v2"}))];
            Moves::of(Some(&installation(spec, json!({}))), ("main-v2", &[]), "v2", &namespaces, &[]).unwrap().back
        };
        let hint = "# istio.io/rev- istio-injection=enabled means the same, where a namespace had that before";
        assert!(back(json!({})).iter().any(|line| line == hint), "{:?}", back(json!({})));
        assert!(back(json!({"revision": "v1"})).iter().all(|line| line != hint), "there it means another Mesh");
    }

    #[test]
    fn injection_enabled_goes_with_the_tag_default() {
        let namespaces = [namespace("shop", json!({"istio-injection": "enabled"}))];
        let pods = [pod("shop", "web-7d9f-a", "weft/proxy:0.1.0", "v1")];
        let restart = "kubectl -n shop rollout restart deployment/web".to_owned();
        let moves = |tags: serde_json::Value, held: &[String]| {
            let base = installation(json!({"revision": "v1", "tags": tags}), json!({}));
            Moves::of(Some(&base), ("main-v2", held), "v2", &namespaces, &pods).unwrap()
        };
        let held = ["default".to_owned()];
        for moves in [moves(json!(["default"]), &[]), moves(json!([]), &held)] {
            assert!(moves.forward.contains(&restart) && moves.back.contains(&restart), "{moves:?}");
            assert!(moves.forward.iter().all(|line| !line.contains(" label ")), "the tag moves it: {moves:?}");
        }
        assert!(!moves(json!([]), &[]).forward.contains(&restart), "it is another Mesh's");
    }

    #[test]
    fn nothing_goes_back_to_a_mesh_that_is_being_deleted() {
        let mut base = installation(json!({"tags": ["prod"]}), json!({}));
        base.leaving = true;
        let namespaces = [namespace("shop", json!({"istio-injection": "enabled"}))];
        let pods = [pod("shop", "web-7d9f-a", "weft/proxy:0.1.0", "default")];
        let moves = Moves::of(Some(&base), ("main-v2", &[]), "v2", &namespaces, &pods).unwrap();
        assert!(moves.back.is_empty(), "{:?}", moves.back);
        assert_eq!(moves.finish, ["weft uninstall --name main"]);
        for line in [
            "kubectl label --overwrite namespace shop istio-injection- istio.io/rev=v2",
            "kubectl -n shop rollout restart deployment/web",
        ] {
            assert!(moves.forward.iter().any(|found| found == line), "{line}: {:?}", moves.forward);
        }
    }
}
