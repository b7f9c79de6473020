//! Codes of findings that need one file or one object alone. Findings that need several are numbered from WEFT0101, in
//! the lint crate. A code keeps its meaning for ever.

/// The text is not YAML or JSON of the kind that Kubernetes takes, or the file cannot be read.
pub const UNREADABLE: &str = "WEFT0001";
/// The document is no object of a known kind, or a field has the wrong type.
pub const MALFORMED: &str = "WEFT0002";
/// A field that the kind does not have.
pub const UNKNOWN_FIELD: &str = "WEFT0003";
/// A field's value makes no sense.
pub const INVALID: &str = "WEFT0004";
/// The same object is defined twice.
pub const DUPLICATE_OBJECT: &str = "WEFT0005";
/// The API server does not let us read a kind.
pub const FORBIDDEN: &str = "WEFT0006";
/// A kind cannot be read at present, or not all of it.
pub const UNAVAILABLE: &str = "WEFT0007";

/// What `istioctl analyze` and Kiali call the same finding.
pub fn aliases(code: &str) -> Vec<String> {
    match code {
        MALFORMED | UNKNOWN_FIELD | INVALID => vec!["IST0106".to_owned()],
        _ => Vec::new(),
    }
}
