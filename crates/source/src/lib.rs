//! Where objects come from: a directory of YAML and JSON files, with the place of each field, or a Kubernetes API server,
//! each followed as it changes; and the way back, edits that change nothing but what they mean.

pub mod cluster_store;
pub mod config_store;
pub mod directory;
pub mod documents;
pub mod draft;
pub mod estate;
pub mod file;
pub mod index;
pub mod kubernetes;
pub mod location;
mod patch;
mod reading;
pub mod rewrite;
mod scan;
pub mod whole;
pub mod yaml;

pub use cluster_store::{
    BearerToken, ClusterError, Credential, GitOps, Impersonation, KubernetesStore, NotImpersonated,
};
pub use config_store::{Applied, ConfigDocument, ConfigStore, FieldEdit, Preview, StoreError, Undo};
pub use directory::{Batch, DirectoryOptions, DirectorySource, OpenError};
pub use documents::{Access, Documents};
pub use draft::Draft;
pub use estate::{Estate, Input, ReadError, read_paths};
pub use file::{SourceFile, SourceObject};
pub use index::{Document, Index};
pub use kubernetes::{KubernetesOptions, KubernetesSource};
pub use location::Location;
pub use whole::{Stale, WholeApplied, WholeEdit, WholePreview};

/// The namespace of objects that name none.
pub const DEFAULT_NAMESPACE: &str = "default";
/// The largest file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;
