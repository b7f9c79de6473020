//! Wrapper messages, addresses, shares and metadata.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use envoy_types::pb::{
    envoy::{
        config::core::v3::{
            Address, CidrRange, DataSource, Metadata, RuntimeFractionalPercent, SocketAddress, address, data_source,
            socket_address,
        },
        r#type::v3::{FractionalPercent, fractional_percent::DenominatorType},
    },
    google::protobuf::{self, Any, Struct, UInt32Value, value::Kind},
};

use super::{At, Result, fail};
use crate::config::{Cidr, EndpointAddress, Fraction};

/// A duration; negative ones are refused.
pub(super) fn duration(d: &protobuf::Duration) -> Result<Duration> {
    match (u64::try_from(d.seconds), u32::try_from(d.nanos)) {
        (Ok(seconds), Ok(nanos)) if nanos < 1_000_000_000 => Ok(Duration::new(seconds, nanos)),
        _ => Err(fail(format!("{}s {}ns is not a duration of zero or more", d.seconds, d.nanos))),
    }
}

/// A duration or its default.
pub(super) fn duration_or(field: &str, d: &Option<protobuf::Duration>, default: Duration) -> Result<Duration> {
    d.as_ref().map_or(Ok(default), duration).at(field)
}

/// A timeout where zero switches it off; a missing one takes the default.
pub(super) fn timeout(
    field: &str,
    d: &Option<protobuf::Duration>,
    default: Option<Duration>,
) -> Result<Option<Duration>> {
    let Some(d) = d else { return Ok(default) };
    Ok(Some(duration(d).at(field)?).filter(|d| !d.is_zero()))
}

pub(super) fn boolean(b: &Option<protobuf::BoolValue>) -> Option<bool> {
    b.as_ref().map(|b| b.value)
}

pub(super) fn is_true(b: &Option<protobuf::BoolValue>) -> bool {
    boolean(b) == Some(true)
}

pub(super) fn uint32(n: &Option<UInt32Value>) -> Option<u32> {
    n.as_ref().map(|n| n.value)
}

/// A protobuf enum number as its type.
pub(super) fn choice<E: TryFrom<i32>>(field: &str, number: i32) -> Result<E> {
    E::try_from(number).map_err(|_| fail(format!("unknown value {number}"))).at(field)
}

pub(super) fn port(number: u32) -> Result<u16> {
    u16::try_from(number).map_err(|_| fail(format!("{number} is not a port")))
}

pub(super) fn ip(text: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| fail(format!("{text:?} is not an IP address")))
}

pub(super) fn socket_address(a: &SocketAddress) -> Result<SocketAddr> {
    let address = ip(&a.address).at("address")?;
    match &a.port_specifier {
        Some(socket_address::PortSpecifier::PortValue(number)) => {
            Ok(SocketAddr::new(address, port(*number).at("port_value")?))
        }
        _ => Err(fail("a numeric port is needed")).at("port_value"),
    }
}

/// A TCP or pipe address.
pub(super) fn address(a: &Option<Address>) -> Result<EndpointAddress> {
    match a.as_ref().and_then(|a| a.address.as_ref()) {
        Some(address::Address::SocketAddress(socket)) => {
            Ok(EndpointAddress::Socket(socket_address(socket).at("socket_address")?))
        }
        Some(address::Address::Pipe(pipe)) if !pipe.path.is_empty() => {
            Ok(EndpointAddress::Pipe(Arc::from(Path::new(&pipe.path))))
        }
        Some(address::Address::Pipe(_)) => Err(fail("the path is empty")).at("pipe.path"),
        Some(address::Address::EnvoyInternalAddress(_)) => Err(fail("internal addresses are not supported")),
        None => Err(fail("an address is needed")),
    }
}

/// An address range; host bits are cleared, as Envoy does.
pub(super) fn cidr(range: &CidrRange) -> Result<Cidr> {
    let address = ip(&range.address_prefix).at("address_prefix")?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let bits = range.prefix_len.as_ref().map_or(0, |n| n.value);
    if bits > width {
        return Err(fail(format!("/{bits} is longer than the address"))).at("prefix_len");
    }
    let network = match address {
        IpAddr::V4(a) => IpAddr::V4((a.to_bits() & u32::MAX.checked_shl(32 - bits).unwrap_or(0)).into()),
        IpAddr::V6(a) => IpAddr::V6((a.to_bits() & u128::MAX.checked_shl(128 - bits).unwrap_or(0)).into()),
    };
    Ok(Cidr { network, bits: bits as u8 })
}

/// A share; a missing one is none, as in Envoy.
pub(super) fn fraction(share: &Option<FractionalPercent>) -> Result<Fraction> {
    let Some(share) = share else { return Ok(Fraction { numerator: 0, denominator: 100 }) };
    let denominator = match choice("denominator", share.denominator)? {
        DenominatorType::Hundred => 100,
        DenominatorType::TenThousand => 10_000,
        DenominatorType::Million => 1_000_000,
    };
    Ok(Fraction { numerator: share.numerator.min(denominator), denominator })
}

/// A share that a runtime key could override; there is no runtime here, so its default is the share.
pub(super) fn runtime_fraction(share: &RuntimeFractionalPercent) -> Result<Fraction> {
    match &share.default_value {
        Some(_) => fraction(&share.default_value).at("default_value"),
        None => Ok(Fraction::ALL),
    }
}

/// Bytes given in the message itself.
pub(super) fn inline(source: &DataSource) -> Result<&[u8]> {
    match &source.specifier {
        Some(data_source::Specifier::InlineBytes(bytes)) => Ok(bytes),
        Some(data_source::Specifier::InlineString(text)) => Ok(text.as_bytes()),
        Some(_) => Err(fail("only inline data is supported here")),
        None => Err(fail("no data is given")),
    }
}

/// A string in filter metadata.
pub(super) fn metadata_text<'m>(metadata: &'m Option<Metadata>, namespace: &str, key: &str) -> Option<&'m str> {
    text(metadata_struct(metadata, namespace)?, key)
}

pub(super) fn metadata_struct<'m>(metadata: &'m Option<Metadata>, namespace: &str) -> Option<&'m Struct> {
    metadata.as_ref()?.filter_metadata.get(namespace)
}

pub(super) fn text<'m>(fields: &'m Struct, key: &str) -> Option<&'m str> {
    match &fields.fields.get(key)?.kind {
        Some(Kind::StringValue(text)) => Some(text),
        _ => None,
    }
}

/// Decodes an `Any` that is expected to hold an `M`.
pub(super) fn unpack<M: prost::Message + prost::Name + Default>(any: &Any) -> Result<M> {
    if type_name(any) != M::full_name() {
        return Err(fail(format!("{} was expected, not {}", M::full_name(), type_name(any))));
    }
    super::decode(&any.value)
}

/// The message name in an `Any`'s type URL.
pub(super) fn type_name(any: &Any) -> &str {
    any.type_url.rsplit('/').next().unwrap_or_default()
}
