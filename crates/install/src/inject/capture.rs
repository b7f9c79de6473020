//! Arguments of the init container that redirects.

use super::{InjectError, annotations::Annotations};

/// The proxy's own ports, which are never redirected.
const OWN: &str = "15090,15021,15020";

/// Arguments of `weft-proxy`, by Istio's annotations.
pub(super) fn args(annotations: &Annotations<'_>) -> Result<Vec<String>, InjectError> {
    let key = |name: &str| format!("traffic.sidecar.istio.io/{name}");
    let ports = |name: &str, all: bool| annotations.ports(&key(name), all);
    let ranges = |name: &str| annotations.ranges(&key(name));
    let mut excluded = OWN.to_owned();
    if let Some(more) = ports("excludeInboundPorts", false)?.filter(|more| !more.is_empty()) {
        excluded.push(',');
        excluded.push_str(&more);
    }
    let mut args: Vec<String> = ["capture", "-p", "15001", "-z", "15006", "-u", "1337", "-g", "1337", "-m", "REDIRECT"]
        .map(str::to_owned)
        .to_vec();
    let mut add = |flag: &str, value: String| args.extend([flag.to_owned(), value]);
    add("-i", ranges("includeOutboundIPRanges")?.unwrap_or_else(|| "*".into()));
    add("-x", ranges("excludeOutboundIPRanges")?.unwrap_or_default());
    add("-b", ports("includeInboundPorts", true)?.unwrap_or_else(|| "*".into()));
    add("-d", excluded);
    let optional = [
        ("-o", ports("excludeOutboundPorts", false)?),
        ("-q", ports("includeOutboundPorts", true)?),
        ("-c", annotations.interfaces(&key("excludeInterfaces"))?),
        ("-k", annotations.interfaces(&key("kubevirtInterfaces"))?),
    ];
    for (flag, value) in optional {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            add(flag, value);
        }
    }
    Ok(args)
}
