//! The answer of `weft upgrade` for people.

use std::fmt::Write as _;

use super::{
    plan::{Action, Plan},
    restarts::Restart,
};
use crate::output::{Answer, plural, table};

impl Answer for Plan {
    fn text(&self) -> String {
        let mut text = String::new();
        if let Some(reason) = &self.refused {
            let _ = writeln!(text, "REFUSED: {reason}");
        }
        if let Some(note) = &self.note {
            let _ = writeln!(text, "NOT FOR THIS COMMAND: {note}");
        }
        match &self.changed {
            Some(changed) if changed.is_empty() => text.push_str("Nothing had to change.\n"),
            Some(changed) => {
                let _ = writeln!(text, "Changed: {}", changed.join(", "));
            }
            None => {
                if let Some(images) = &self.operator {
                    let _ = writeln!(text, "The operator restarts: {images}");
                }
            }
        }
        self.meshes(&mut text);
        self.restarts(&mut text);
        self.moves(&mut text);
        text
    }
}

impl Plan {
    fn meshes(&self, text: &mut String) {
        for step in &self.meshes {
            let from = if step.from.is_empty() { "(not ready)" } else { &step.from };
            let words = match step.action {
                Action::Upgrade => format!("{from} -> {}", step.to),
                Action::Keep => format!("stays at {}", step.to),
                Action::Create => format!("is made, version {}", step.to),
                Action::Leave => {
                    "is being deleted: it gives no new pod a proxy, so nothing can go back to it".to_owned()
                }
            };
            let _ = writeln!(text, "Mesh {} (revision {}): {words}", step.mesh, step.revision);
            if let Some(reason) = &step.refused {
                let _ = writeln!(text, "  REFUSED: {reason}");
            }
            if let Some(note) = &step.note {
                let _ = writeln!(text, "  NOT FOR THIS COMMAND: {note}");
            }
            for (component, images) in &step.images {
                let _ = writeln!(text, "  {component} restarts: {images}");
            }
        }
    }

    fn restarts(&self, text: &mut String) {
        if self.restarts.is_empty() {
            if self.moves.is_none() && !self.refused() {
                text.push_str("\nNo workload has to restart: every proxy has that version already.\n");
            }
            return;
        }
        let row = |restart: &Restart| {
            vec![restart.workload.clone(), restart.pods.to_string(), restart.revision.clone(), restart.image.clone()]
        };
        let rows: Vec<_> = self.restarts.iter().map(row).collect();
        let total: usize = self.restarts.iter().map(|restart| restart.pods).sum();
        let words = if self.changed.is_some() {
            format!("{} with a proxy of another version until restarted:", plural(total, "pod"))
        } else {
            format!("{} would have to restart to get the proxy of version {}:", plural(total, "pod"), self.to)
        };
        let _ = write!(text, "\n{words}\n{}", table(&["WORKLOAD", "PODS", "REVISION", "PROXY NOW"], &rows));
        block(text, "These commands do it, without losing a request:", &self.commands);
        block(text, "No rollout restarts these, recreate them by hand:", &self.by_hand);
    }

    fn moves(&self, text: &mut String) {
        let Some(moves) = &self.moves else { return };
        block(text, "To move workloads, one namespace after the other:", &moves.forward);
        block(text, "No rollout restarts these, recreate them by hand:", &moves.by_hand);
        block(text, "Once nothing runs with the old control plane:", &moves.finish);
        block(text, "To go back instead:", &moves.back);
        block(text, "To go back, recreate these by hand as well:", &moves.back_by_hand);
    }
}

fn block(text: &mut String, title: &str, commands: &[String]) {
    if !commands.is_empty() {
        let _ = write!(text, "\n{title}\n  {}\n", commands.join("\n  "));
    }
}
