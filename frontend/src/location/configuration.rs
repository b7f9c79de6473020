//! What was chosen for configuration, as it stands in the address.

/// Filters of the list, and what is being made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigurationView {
    /// Only this kind; empty for all.
    pub kind: String,
    /// Only objects whose worst finding is this: `error`, `warning` or `info`; empty for any.
    pub severity: String,
    /// Only what this one keeps; empty for anybody.
    pub owner: String,
    /// The kind of which a new object is being written; empty for none.
    pub new: String,
    /// The wizard that is open; empty for none.
    pub wizard: String,
    /// What the wizard is about, `namespace/name`; empty while nothing is chosen.
    pub of: String,
}

impl ConfigurationView {
    /// Takes one value of the address; whether it is one of these.
    pub fn take(&mut self, name: &str, value: &str) -> bool {
        let field = match name {
            "kind" => &mut self.kind,
            "severity" => &mut self.severity,
            "owner" => &mut self.owner,
            "new" => &mut self.new,
            "wizard" => &mut self.wizard,
            "of" => &mut self.of,
            _ => return false,
        };
        value.clone_into(field);
        true
    }

    /// Tells what differs from nothing.
    pub fn put(&self, mut put: impl FnMut(&str, &str)) {
        let fields = [
            ("kind", &self.kind),
            ("severity", &self.severity),
            ("owner", &self.owner),
            ("new", &self.new),
            ("wizard", &self.wizard),
            ("of", &self.of),
        ];
        fields.into_iter().filter(|(_, value)| !value.is_empty()).for_each(|(name, value)| put(name, value));
    }

    /// Whether the list is narrowed.
    pub fn is_filtered(&self) -> bool {
        [&self.kind, &self.severity, &self.owner].into_iter().any(|filter| !filter.is_empty())
    }

    /// Closes what is being made.
    pub fn close(&mut self) {
        self.new.clear();
        self.wizard.clear();
        self.of.clear();
    }
}
