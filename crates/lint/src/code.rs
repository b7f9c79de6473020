//! Codes of findings that several objects make together. Those of single files and objects, below WEFT0100, are in
//! [`weft_api::code`]; WEFT0120 is the console's, about thresholds of health. A code keeps its meaning for ever.

use weft_model::Severity;

/// A kind of finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// `WEFT` and four digits.
    pub id: &'static str,
    /// What `istioctl analyze` (`IST…`) and Kiali (`KIA…`) call it.
    pub aliases: &'static [&'static str],
    /// How bad it is.
    pub severity: Severity,
    /// What it is, in a few words.
    pub title: &'static str,
}

/// A route names a subset that no DestinationRule defines.
pub const SUBSET_NOT_FOUND: Code =
    Code { id: "WEFT0101", aliases: &["IST0101", "KIA1107"], severity: Severity::Error, title: "subset not found" };
/// A route names a host that no Service and no ServiceEntry has.
pub const HOST_NOT_FOUND: Code =
    Code { id: "WEFT0102", aliases: &["IST0101", "KIA1101"], severity: Severity::Error, title: "host not found" };
/// A VirtualService names a Gateway that is not there.
pub const GATEWAY_NOT_FOUND: Code =
    Code { id: "WEFT0103", aliases: &["IST0101", "KIA1102"], severity: Severity::Error, title: "gateway not found" };
/// The weights of a route do not add up to 100.
pub const WEIGHTS_DO_NOT_ADD_UP: Code =
    Code { id: "WEFT0104", aliases: &[], severity: Severity::Warning, title: "weights do not add up" };
/// The only destination of a route has a weight, which has no effect.
pub const SINGLE_WEIGHT: Code =
    Code { id: "WEFT0105", aliases: &["KIA1104"], severity: Severity::Warning, title: "a weight without effect" };
/// Two VirtualServices of the mesh are for one host; only the older one is applied.
pub const DUPLICATE_HOST: Code = Code {
    id: "WEFT0106",
    aliases: &["IST0109", "KIA1106"],
    severity: Severity::Error,
    title: "host in two VirtualServices",
};
/// Two VirtualServices of one gateway are for one host; their routes are put one after the other.
pub const DUPLICATE_GATEWAY_HOST: Code = Code {
    id: "WEFT0107",
    aliases: &["KIA1106"],
    severity: Severity::Warning,
    title: "host in two VirtualServices of a gateway",
};
/// Two DestinationRules of a namespace are for one host.
pub const DUPLICATE_RULE: Code =
    Code { id: "WEFT0108", aliases: &["KIA0201"], severity: Severity::Warning, title: "host in two DestinationRules" };
/// A DestinationRule is for a host that no Service and no ServiceEntry has.
pub const RULE_HOST_NOT_FOUND: Code = Code {
    id: "WEFT0109",
    aliases: &["KIA0202"],
    severity: Severity::Error,
    title: "DestinationRule's host not found",
};
/// A kind that is read and has no effect.
pub const NOT_APPLIED: Code =
    Code { id: "WEFT0110", aliases: &[], severity: Severity::Warning, title: "kind without effect" };
/// A ServiceEntry whose endpoints would have to be looked up.
pub const NAME_NOT_LOOKED_UP: Code =
    Code { id: "WEFT0111", aliases: &[], severity: Severity::Info, title: "name that is not looked up" };

/// A route names a host that the proxies which apply it do not see (`exportTo`).
pub const HOST_NOT_VISIBLE: Code =
    Code { id: "WEFT0112", aliases: &["KIA1101"], severity: Severity::Error, title: "host not visible" };
/// A route names a subset of a DestinationRule that the proxies which apply the route do not see (`exportTo`).
pub const SUBSET_NOT_VISIBLE: Code =
    Code { id: "WEFT0113", aliases: &["KIA1107"], severity: Severity::Error, title: "subset not visible" };
/// A DestinationRule is for a host that the proxies which see the rule do not see (`exportTo`).
pub const RULE_HOST_NOT_VISIBLE: Code = Code {
    id: "WEFT0114",
    aliases: &["KIA0202"],
    severity: Severity::Warning,
    title: "DestinationRule's host not visible",
};
/// A Gateway or a DestinationRule names a Secret that is not there. Found where Secrets are read, which is in no directory.
pub const CREDENTIAL_NOT_FOUND: Code =
    Code { id: "WEFT0115", aliases: &["IST0101"], severity: Severity::Error, title: "credential not found" };
/// A Gateway or a DestinationRule names a Secret without a certificate that its key belongs to, or without roots.
pub const CREDENTIAL_UNUSABLE: Code =
    Code { id: "WEFT0116", aliases: &[], severity: Severity::Error, title: "credential that cannot be shown" };

/// An AuthorizationPolicy asks for callers of one namespace that are in another one.
pub const NOBODY: Code =
    Code { id: "WEFT0117", aliases: &[], severity: Severity::Warning, title: "source that is nobody" };

/// Two Telemetries are for one whole namespace, or for the mesh; only the older one is applied.
pub const TELEMETRIES_OF_ONE_SCOPE: Code =
    Code { id: "WEFT0118", aliases: &["IST0160"], severity: Severity::Warning, title: "two Telemetries of one scope" };
/// Two Telemetries select one workload; only the older one is applied to it.
pub const TELEMETRIES_SELECT_ALIKE: Code = Code {
    id: "WEFT0119",
    aliases: &["IST0159"],
    severity: Severity::Warning,
    title: "workload selected by two Telemetries",
};
/// A selector that no workload of its namespace fits.
pub const SELECTS_NOBODY: Code = Code {
    id: "WEFT0121",
    aliases: &["IST0101", "KIA0004"],
    severity: Severity::Warning,
    title: "selector that fits no workload",
};
/// A Telemetry names a provider that the mesh's settings do not have.
pub const PROVIDER_NOT_FOUND: Code =
    Code { id: "WEFT0122", aliases: &[], severity: Severity::Warning, title: "provider not found" };
/// A field of Istio that is read and has no effect.
pub const FIELD_NOT_APPLIED: Code =
    Code { id: "WEFT0123", aliases: &[], severity: Severity::Warning, title: "field without effect" };
/// Every route of a VirtualService asks for something that most requests do not have.
pub const REQUESTS_LEFT_OUT: Code =
    Code { id: "WEFT0124", aliases: &[], severity: Severity::Info, title: "requests that no route takes" };

/// Every code of this crate.
pub const ALL: [Code; 23] = [
    SUBSET_NOT_FOUND,
    HOST_NOT_FOUND,
    GATEWAY_NOT_FOUND,
    WEIGHTS_DO_NOT_ADD_UP,
    SINGLE_WEIGHT,
    DUPLICATE_HOST,
    DUPLICATE_GATEWAY_HOST,
    DUPLICATE_RULE,
    RULE_HOST_NOT_FOUND,
    NOT_APPLIED,
    NAME_NOT_LOOKED_UP,
    HOST_NOT_VISIBLE,
    SUBSET_NOT_VISIBLE,
    RULE_HOST_NOT_VISIBLE,
    CREDENTIAL_NOT_FOUND,
    CREDENTIAL_UNUSABLE,
    NOBODY,
    TELEMETRIES_OF_ONE_SCOPE,
    TELEMETRIES_SELECT_ALIKE,
    SELECTS_NOBODY,
    PROVIDER_NOT_FOUND,
    FIELD_NOT_APPLIED,
    REQUESTS_LEFT_OUT,
];
