//! Deterministic protobuf bytes. Map fields are hash maps in the generated types, so their entries come out in an
//! order that differs from run to run; here they are sorted in place afterwards, guided by where maps can occur.

use envoy_types::pb::{
    envoy::{
        config::{
            cluster::v3::Cluster,
            endpoint::v3::ClusterLoadAssignment,
            listener::v3::Listener,
            route::v3::{RouteConfiguration, VirtualHost},
        },
        extensions::{
            filters::{
                http::rbac::v3::Rbac as HttpRbac,
                network::{http_connection_manager::v3::HttpConnectionManager, rbac::v3::Rbac as NetworkRbac},
            },
            transport_sockets::tls::v3::Secret,
        },
    },
    google::protobuf::Any,
};
use prost::{Message, Name};

/// Where the maps of a message are: field numbers that lead to them.
pub(crate) struct Shape(&'static [(u32, Field)]);

enum Field {
    /// A message (or a repeated one) that has maps somewhere below.
    Message(&'static Shape),
    /// A map whose values have this shape.
    Map(&'static Shape),
}

use Field::{Map, Message as Sub};

static LEAF: Shape = Shape(&[]);
static STRUCT: Shape = Shape(&[(1, Map(&VALUE))]);
static VALUE: Shape = Shape(&[(5, Sub(&STRUCT)), (6, Sub(&LIST))]);
static LIST: Shape = Shape(&[(1, Sub(&VALUE))]);
static METADATA: Shape = Shape(&[(1, Map(&STRUCT)), (2, Map(&LEAF))]);
static CLUSTER_WEIGHT: Shape = Shape(&[(3, Sub(&METADATA)), (10, Map(&LEAF))]);
static WEIGHTED_CLUSTERS: Shape = Shape(&[(1, Sub(&CLUSTER_WEIGHT))]);
static ROUTE_ACTION: Shape = Shape(&[(3, Sub(&WEIGHTED_CLUSTERS)), (4, Sub(&METADATA))]);
static ROUTE: Shape = Shape(&[(2, Sub(&ROUTE_ACTION)), (4, Sub(&METADATA)), (13, Map(&LEAF))]);
static VIRTUAL_HOST: Shape = Shape(&[(3, Sub(&ROUTE)), (15, Map(&LEAF)), (24, Sub(&METADATA))]);
static ROUTE_CONFIGURATION: Shape = Shape(&[(2, Sub(&VIRTUAL_HOST)), (16, Map(&LEAF)), (17, Sub(&METADATA))]);
static SOCKET_MATCH: Shape = Shape(&[(2, Sub(&STRUCT))]);
static LB_ENDPOINT: Shape = Shape(&[(3, Sub(&METADATA))]);
static LOCALITY_ENDPOINTS: Shape = Shape(&[(2, Sub(&LB_ENDPOINT)), (9, Sub(&METADATA))]);
static LOAD_ASSIGNMENT: Shape = Shape(&[(2, Sub(&LOCALITY_ENDPOINTS))]);
static CLUSTER: Shape =
    Shape(&[(25, Sub(&METADATA)), (33, Sub(&LOAD_ASSIGNMENT)), (36, Map(&LEAF)), (43, Sub(&SOCKET_MATCH))]);
static FILTER_CHAIN: Shape = Shape(&[(5, Sub(&METADATA))]);
static LISTENER: Shape = Shape(&[(3, Sub(&FILTER_CHAIN)), (6, Sub(&METADATA)), (25, Sub(&FILTER_CHAIN))]);
static CONNECTION_MANAGER: Shape = Shape(&[(4, Sub(&ROUTE_CONFIGURATION))]);
static RBAC_RULES: Shape = Shape(&[(2, Map(&LEAF))]);
static RBAC_FILTER: Shape = Shape(&[(1, Sub(&RBAC_RULES)), (2, Sub(&RBAC_RULES))]);

/// A message whose encoding can be made deterministic.
pub(crate) trait Canonical: Message + Sized {
    /// Where its maps are.
    fn shape() -> &'static Shape;

    /// The encoding with every map sorted by its encoded entries.
    fn canonical_bytes(&self) -> Vec<u8> {
        let mut bytes = self.encode_to_vec();
        sort_maps(Self::shape(), &mut bytes);
        bytes
    }
}

macro_rules! canonical {
    ($($message:ty => $shape:ident),* $(,)?) => {
        $(impl Canonical for $message {
            fn shape() -> &'static Shape {
                &$shape
            }
        })*
    };
}

canonical! {
    Cluster => CLUSTER,
    ClusterLoadAssignment => LOAD_ASSIGNMENT,
    Listener => LISTENER,
    RouteConfiguration => ROUTE_CONFIGURATION,
    VirtualHost => VIRTUAL_HOST,
    HttpConnectionManager => CONNECTION_MANAGER,
    HttpRbac => RBAC_FILTER,
    NetworkRbac => RBAC_FILTER,
    Secret => LEAF,
}

/// Packs a message that has maps.
pub(crate) fn pack<M: Canonical + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.canonical_bytes() }
}

/// Packs a message that has none.
pub(crate) fn pack_plain<M: Message + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

/// Sorts in place: reordering the entries of a map changes neither its length nor any length prefix around it.
/// Bytes that are not a well-formed message are left alone from where they stop being one.
fn sort_maps(shape: &Shape, bytes: &mut [u8]) {
    if shape.0.is_empty() {
        return;
    }
    let mut at = 0;
    while at < bytes.len() {
        let Some(field) = read_field(bytes, at) else { return };
        match shape.0.iter().find(|(number, _)| field.payload.is_some() && *number == field.number).map(|(_, f)| f) {
            None => at = field.end,
            Some(Sub(inner)) => {
                if let Some(start) = field.payload {
                    sort_maps(inner, &mut bytes[start..field.end]);
                }
                at = field.end;
            }
            Some(Map(value)) => at = sort_entries(value, bytes, at, field.number),
        }
    }
}

/// Sorts the run of entries of map `number` that starts at `start`; gives where the run ends.
fn sort_entries(value: &'static Shape, bytes: &mut [u8], start: usize, number: u32) -> usize {
    let mut entries: Vec<(usize, usize)> = Vec::new();
    let mut at = start;
    while let Some(entry) = read_field(bytes, at).filter(|f| f.number == number) {
        let Some(payload) = entry.payload else { break };
        sort_entry_value(value, &mut bytes[payload..entry.end]);
        entries.push((at, entry.end));
        at = entry.end;
    }
    if entries.len() > 1 {
        let mut parts: Vec<Vec<u8>> = entries.iter().map(|&(from, to)| bytes[from..to].to_vec()).collect();
        parts.sort_unstable();
        bytes[start..at].copy_from_slice(&parts.concat());
    }
    at.max(start + 1)
}

fn sort_entry_value(value: &'static Shape, entry: &mut [u8]) {
    let mut at = 0;
    while let Some(field) = read_field(entry, at) {
        if let (2, Some(payload)) = (field.number, field.payload) {
            sort_maps(value, &mut entry[payload..field.end]);
        }
        at = field.end;
    }
}

struct RawField {
    number: u32,
    /// Where a length-delimited payload starts; `None` for the other wire types.
    payload: Option<usize>,
    end: usize,
}

fn read_field(bytes: &[u8], at: usize) -> Option<RawField> {
    let (tag, next) = varint(bytes, at)?;
    let number = u32::try_from(tag >> 3).ok()?;
    let (payload, end) = match tag & 7 {
        0 => (None, varint(bytes, next)?.1),
        1 => (None, next.checked_add(8)?),
        2 => {
            let (length, start) = varint(bytes, next)?;
            (Some(start), start.checked_add(usize::try_from(length).ok()?)?)
        }
        5 => (None, next.checked_add(4)?),
        _ => return None,
    };
    (end <= bytes.len()).then_some(RawField { number, payload, end })
}

fn varint(bytes: &[u8], mut at: usize) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(at)?;
        at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value, at));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use envoy_types::pb::{
        envoy::config::{core::v3::Metadata, route::v3::Route},
        google::protobuf::{Struct, Value, value::Kind},
    };

    use super::*;

    fn text(s: &str) -> Value {
        Value { kind: Some(Kind::StringValue(s.into())) }
    }

    fn object(depth: usize) -> Struct {
        let mut fields: HashMap<String, Value> = ["a", "bb", "ccc", "d"].map(|k| (k.to_owned(), text(k))).into();
        if depth > 0 {
            fields.insert("nested".into(), Value { kind: Some(Kind::StructValue(object(depth - 1))) });
        }
        Struct { fields }
    }

    fn host() -> VirtualHost {
        let filter_metadata = ["weft.dev", "istio", "other"].map(|k| (k.to_owned(), object(2))).into();
        let any = |n: &str| Any { type_url: n.into(), value: vec![1, 2, 3] };
        let route = Route {
            name: "r".into(),
            metadata: Some(Metadata { filter_metadata, ..Metadata::default() }),
            typed_per_filter_config: ["fault", "cors", "x"].map(|k| (k.to_owned(), any(k))).into(),
            ..Route::default()
        };
        VirtualHost { name: "h".into(), routes: vec![route.clone(), route], ..VirtualHost::default() }
    }

    #[test]
    fn equal_messages_have_equal_bytes() {
        let first = host().canonical_bytes();
        for _ in 0..50 {
            assert_eq!(host().canonical_bytes(), first);
        }
    }

    #[test]
    fn nothing_is_lost() {
        let bytes = host().canonical_bytes();
        assert_eq!(VirtualHost::decode(bytes.as_slice()).unwrap(), host());
    }

    #[test]
    fn malformed_bytes_do_no_harm() {
        for bad in [&[0x1a, 0xff][..], &[0x1a, 0x05, 0x01], &[0xff; 12], &[0x7a, 0x02, 0x0a, 0x09, 0x7a]] {
            let mut bytes = bad.to_vec();
            sort_maps(&VIRTUAL_HOST, &mut bytes);
            assert_eq!(bytes.len(), bad.len());
        }
    }
}
