//! Forms that write configuration. Each begins with what is configured now for its service or its workloads, offers what
//! exists, and comes to edits of whole objects: of the object that is there, with its comments and whatever the form does
//! not know, and of a new one only where there is none. Pure; reading and applying are the others' business.

mod authorization;
mod doc;
mod field;
mod peer;
mod routing;
pub mod scene;
mod settings;
mod shift;
#[cfg(test)]
mod tests;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use weft_model::{
    edit::{Action, ObjectEdit},
    wizard::{Part, Step, Wizard, WizardKind},
};
use weft_source::{draft::text_revision, rewrite};

use self::scene::{Document, Scene};

/// A form of one kind.
trait Form: Serialize + DeserializeOwned {
    /// What is configured now.
    fn start(scene: &Scene) -> Self;
    /// Takes what is left out from what is configured now.
    fn fill(&mut self, _scene: &Scene) {}
    /// What is asked.
    fn parts(&self, scene: &Scene) -> Vec<Part<Value>>;
    /// What is wrong that no field shows.
    fn problems(&self, _scene: &Scene) -> Vec<String> {
        Vec::new()
    }
    /// Worth knowing.
    fn notes(&self, _scene: &Scene) -> Vec<String> {
        Vec::new()
    }
    /// Objects as the form wants them, in the order in which to apply them.
    fn changes(&self, scene: &Scene) -> Vec<Change>;
}

/// An object as a form wants it.
struct Change {
    title: String,
    /// The object that is there.
    of: Option<Document>,
    value: Value,
}

/// Why a form cannot be taken.
#[derive(Debug, thiserror::Error)]
#[error("The form cannot be read: {0}")]
pub struct FormError(#[from] serde_json::Error);

/// The form as it was filled in (as it would be now without one), and what it comes to.
pub fn run(kind: WizardKind, scene: &Scene, form: Option<Value>) -> Result<Wizard<Value>, FormError> {
    match kind {
        WizardKind::TrafficShifting => answer::<shift::Shift>(kind, scene, form),
        WizardKind::RequestRouting => answer::<routing::Routing>(kind, scene, form),
        WizardKind::Faults => answer::<settings::Faults>(kind, scene, form),
        WizardKind::Timeouts => answer::<settings::Timeouts>(kind, scene, form),
        WizardKind::CircuitBreaking => answer::<settings::CircuitBreaking>(kind, scene, form),
        WizardKind::PeerAuthentication => answer::<peer::Peer>(kind, scene, form),
        WizardKind::AuthorizationPolicy => answer::<authorization::Authorization>(kind, scene, form),
    }
}

fn answer<F: Form>(kind: WizardKind, scene: &Scene, given: Option<Value>) -> Result<Wizard<Value>, FormError> {
    let mut form: F = match given {
        Some(given) => serde_json::from_value(given)?,
        None => F::start(scene),
    };
    form.fill(scene);
    let parts = form.parts(scene);
    let problems = form.problems(scene);
    let fields = parts.iter().flat_map(|part| &part.rows).flat_map(|row| &row.fields);
    let stands = problems.is_empty() && fields.into_iter().all(|field| field.problem.is_none());
    let steps = if stands { form.changes(scene).into_iter().filter_map(step).collect() } else { Vec::new() };
    let notes = form.notes(scene);
    let form = serde_json::to_value(&form)?;
    Ok(Wizard {
        kind,
        namespace: scene.namespace.clone(),
        name: scene.name.clone(),
        command: command(kind, scene, &form),
        form,
        parts,
        steps,
        notes,
        problems,
    })
}

/// The edit that makes a change; nothing when there is none to make.
fn step(change: Change) -> Option<Step> {
    let Change { title, of, value } = change;
    let edit = match of {
        None => ObjectEdit { action: Action::Create, yaml: rewrite::written(&value), ..ObjectEdit::default() },
        Some(document) => {
            if document.value == value {
                return None;
            }
            ObjectEdit {
                action: Action::Update,
                yaml: rewrite::rewrite(&document.text, &value),
                revision: text_revision(&document.text),
                object: Some(document.object),
            }
        }
    };
    Some(Step { title, edit })
}

/// The same with curl.
fn command(kind: WizardKind, scene: &Scene, form: &Value) -> String {
    let body = json!({ "namespace": scene.namespace, "name": scene.name, "form": form }).to_string();
    format!(
        "curl -s $CONSOLE/api/v1/wizards/{} -H 'content-type: application/json' -H 'x-weft-request: 1' -d '{}'",
        kind.slug(),
        body.replace('\'', "'\\''")
    )
}
