//! What `weft vm join` answers. The token is in its file and nowhere else.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{bootstrap::IDENTITY, group::Change};
use crate::output::{Answer, plural};

/// A machine that may join.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Joined {
    /// `namespace/name`.
    pub workload_entry: String,
    /// What became of it.
    pub change: Change,
    /// Name of the WorkloadGroup.
    pub group: String,
    /// The machine's address.
    pub address: IpAddr,
    /// SPIFFE id of its certificate.
    pub identity: String,
    /// `host:port` that its proxy asks.
    pub control_plane: String,
    /// Names the token's record.
    pub token_id: String,
    /// First certificates that the token obtains.
    pub token_uses: u32,
    /// End of the token, RFC 3339.
    pub token_expires_at: String,
    /// What was written.
    pub directory: PathBuf,
    /// Where it is to lie on the machine.
    pub machine_directory: PathBuf,
    /// Names of the files.
    pub files: Vec<String>,
    /// What one may not expect.
    pub notes: Vec<String>,
}

impl Answer for Joined {
    fn text(&self) -> String {
        let change = match self.change {
            Change::Created => "created",
            Change::Updated => "updated",
        };
        let (here, there) = (self.directory.display(), self.machine_directory.display());
        let mut text = format!(
            "WorkloadEntry {} {change}: {} is {}\n\
             wrote {here}: {}\n\
             its token is good for {} until {}\n",
            self.workload_entry,
            self.address,
            self.identity,
            self.files.join(" "),
            plural(self.token_uses as usize, "first certificate"),
            self.token_expires_at,
        );
        for note in &self.notes {
            text += &format!("note: {note}\n");
        }
        let quoted = quoted(&self.directory);
        text + &format!(
            "\nNext, with weft-proxy in /usr/local/bin of the machine:\n\
             \x20 tar -C {quoted} -c . | ssh root@{address} 'mkdir -p {there} && tar -C {there} -x \
             --no-same-owner && chown -R root:1337 {there} && chmod -R g+rX {there}'\n\
             \x20 ssh root@{address} 'systemctl enable {there}/weft-proxy.service && rm -f {IDENTITY} && systemctl restart \
             weft-proxy'",
            address = self.address,
        )
    }
}

/// A path as one word of a shell's line.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    // A word that begins so would be an option, or somebody's home.
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return text;
    }
    let whole = if text.starts_with('-') { format!("./{text}") } else { text };
    format!("'{}'", whole.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_to_do_next() {
        let joined = Joined {
            workload_entry: "vms/db-1".into(),
            change: Change::Created,
            group: "db".into(),
            address: "10.0.0.5".parse().unwrap(),
            identity: "spiffe://cluster.local/ns/vms/sa/db".into(),
            control_plane: "192.0.2.7:15012".into(),
            token_id: "0011223344556677".into(),
            token_uses: 1,
            token_expires_at: "2026-01-01T00:00:00Z".into(),
            directory: "db-1".into(),
            machine_directory: "/etc/weft".into(),
            files: vec!["join-token".into(), "weft-proxy.env".into()],
            notes: vec!["mind the gap".into()],
        };
        let text = joined.text();
        for part in [
            "vms/db-1 created",
            "1 first certificate until 2026",
            "note: mind the gap",
            "\n  tar -C db-1 -c . | ssh root@10.0.0.5 'mkdir -p /etc/weft && tar -C /etc/weft -x --no-same-owner && chown",
            "\n  ssh root@10.0.0.5 'systemctl enable /etc/weft/weft-proxy.service && rm -f \
             /var/lib/weft/identity.pem && systemctl restart weft-proxy'",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(serde_json::to_value(&joined).unwrap()["change"], "created");
        let odd = Joined { directory: "my dir's".into(), ..joined };
        assert!(odd.text().contains("\n  tar -C 'my dir'\\''s' -c . | ssh"), "{}", odd.text());
        assert_eq!(quoted(Path::new("-x")), "'./-x'");
    }
}
