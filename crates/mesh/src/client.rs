//! A proxy as a caller of others: all of it that decides what it is told about them. Proxies that are equal in this share
//! what is made for it, and proxies that give the same answers share whatever depends on no more than those.

use std::{cell::RefCell, collections::BTreeMap, net::IpAddr, ops::Deref, sync::Arc};

use weft_api::Labels;

use crate::{
    Capture, Engine, Proxy, ProxyKind, Snapshot, View,
    resolve::telemetry::{self, Side, Tracing},
    snapshot::Visibility,
};

/// What outbound configuration depends on. Namespace, labels, locality and tracing can only be asked about, by way of
/// [`Asked`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Client {
    class: Class,
    namespace: String,
    /// Its labels, as far as any selector in the mesh asks for them.
    labels: Labels,
    /// Where it stands, as far as that matters; else empty.
    locality: String,
    /// What it does about traces of its own calls.
    tracing: Arc<Tracing>,
}

/// What nearly everything depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Class {
    /// Whether it stands at the edge.
    pub gateway: bool,
    /// The address that it dials from, where that matters: one of the loopback network, which nobody else has.
    pub source: Option<IpAddr>,
    /// Whether it is an Envoy.
    pub envoy: bool,
    /// Whether its connections are redirected to it.
    pub captured: bool,
    /// Whether it has an IPv4 and an IPv6 address.
    pub families: (bool, bool),
}

impl Client {
    /// What is seen of a proxy.
    pub fn new(snapshot: &Snapshot, proxy: &Proxy) -> Self {
        // What is read here is read again for each translation, so nobody has to remember it.
        let tracing = telemetry::tracing(&View::new(snapshot), proxy.namespace(), &proxy.labels, Side::Client);
        Self {
            class: Class {
                gateway: proxy.kind == ProxyKind::Gateway,
                source: Some(proxy.address).filter(IpAddr::is_loopback),
                envoy: proxy.engine == Engine::Envoy,
                captured: proxy.capture == Capture::Redirect && proxy.kind == ProxyKind::Sidecar,
                families: (
                    proxy.addresses.iter().any(IpAddr::is_ipv4) || proxy.address.is_ipv4(),
                    proxy.addresses.iter().any(IpAddr::is_ipv6),
                ),
            },
            namespace: proxy.workload.namespace.clone(),
            labels: snapshot.selecting_labels(&proxy.labels),
            locality: if snapshot.ejects() { proxy.locality.clone() } else { String::new() },
            tracing: Arc::new(tracing),
        }
    }

    /// What needs no asking.
    pub fn class(&self) -> &Class {
        &self.class
    }

    /// The answer to a question.
    pub(crate) fn answers(&self, ask: &Ask) -> bool {
        match ask {
            Ask::Namespace(namespace) => self.namespace == *namespace,
            Ask::Among(namespaces) => namespaces.contains(&self.namespace),
            Ask::Labels(selector) => self.labels.carry(selector),
            Ask::Locality(locality) => self.locality == *locality,
            Ask::Tracing(tracing) => self.tracing == *tracing,
        }
    }
}

/// A question about a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Is it in this namespace?
    Namespace(String),
    /// Is it in one of these?
    Among(Vec<String>),
    /// Has it all of these labels?
    Labels(BTreeMap<String, String>),
    /// Does it stand here?
    Locality(String),
    /// Does it do this about traces of its own calls?
    Tracing(Arc<Tracing>),
}

/// A client that writes down what it is asked, so that what was made for it can serve whoever answers alike.
#[derive(Debug)]
pub struct Asked<'c> {
    client: &'c Client,
    /// `None` where nobody wants to know.
    asked: Option<RefCell<Vec<(Ask, bool)>>>,
}

impl Deref for Asked<'_> {
    type Target = Class;
    fn deref(&self) -> &Class {
        &self.client.class
    }
}

impl<'c> Asked<'c> {
    /// A client that was asked nothing yet.
    pub fn new(client: &'c Client) -> Self {
        Self { client, asked: Some(RefCell::default()) }
    }

    /// A client that writes nothing down: what is made is for itself only.
    pub fn alone(client: &'c Client) -> Self {
        Self { client, asked: None }
    }

    /// Whether it is in this namespace.
    pub fn is_in(&self, namespace: &str) -> bool {
        self.ask(Ask::Namespace(namespace.to_owned()))
    }

    /// Whether it sees what is visible so.
    pub fn sees(&self, visibility: &Visibility) -> bool {
        match visibility {
            Visibility::All => true,
            Visibility::Namespaces(list) => self.ask(Ask::Among(list.clone())),
        }
    }

    /// Whether it has every label of `selector`.
    pub fn carries(&self, selector: &BTreeMap<String, String>) -> bool {
        selector.is_empty() || self.ask(Ask::Labels(selector.clone()))
    }

    /// Its namespace. What asks this is for this namespace only.
    pub fn namespace(&self) -> &'c str {
        self.ask(Ask::Namespace(self.client.namespace.clone()));
        &self.client.namespace
    }

    /// Its locality. What asks this is for this locality only.
    pub fn locality(&self) -> &'c str {
        self.ask(Ask::Locality(self.client.locality.clone()));
        &self.client.locality
    }

    /// What it does about traces of its own calls. What asks this is for clients that do the same only.
    pub fn tracing(&self) -> &'c Tracing {
        self.ask(Ask::Tracing(Arc::clone(&self.client.tracing)));
        &self.client.tracing
    }

    /// All questions so far, with the answers.
    pub(crate) fn into_asked(self) -> Box<[(Ask, bool)]> {
        self.asked.map(RefCell::into_inner).unwrap_or_default().into()
    }

    fn ask(&self, ask: Ask) -> bool {
        let answer = self.client.answers(&ask);
        if let Some(asked) = &self.asked {
            let mut asked = asked.borrow_mut();
            if !asked.iter().any(|(before, _)| *before == ask) {
                asked.push((ask, answer));
            }
        }
        answer
    }
}
