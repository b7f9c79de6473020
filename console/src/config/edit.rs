//! Whole objects made, changed and removed: what that would do, doing it, and taking it back.

mod error;
mod moves;
mod undos;

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use weft_api::{Change, Kind, Object, ObjectKey};
use weft_lint::meaning;
use weft_mesh::Snapshot;
use weft_model::{
    Diagnostic, ObjectRef, audit,
    edit::{Action, ObjectEdit, ObjectPreview, ObjectResult, Theirs},
};
use weft_source::{Access, Credential, Documents, Draft, StoreError, WholeEdit, draft::text_revision};

pub use self::{
    error::ObjectEditError,
    moves::OF_ROUTE,
    undos::{Done, Undos},
};
use super::{View, content, findings, hypothetical, owner, revision_in};
use crate::{
    audit::AuditLog,
    auth::{Caller, Verb},
    canary::edit::UNDO_FOR,
    clock::{millis, now_ms},
    db::Edits,
    metrics::Metrics,
};

/// How long an answer waits for the view to show the edit.
const VISIBLE_WITHIN: Duration = Duration::from_secs(2);

/// Kinds that are read and never written here: a Secret's values are not shown, and the others are made by controllers.
const UNEDITED: [Kind; 6] =
    [Kind::Secret, Kind::ConfigMap, Kind::Pod, Kind::Node, Kind::EndpointSlice, Kind::Namespace];

/// Makes edits of whole objects.
pub struct ObjectEditor {
    views: watch::Receiver<Arc<View>>,
    documents: Documents,
    metrics: Arc<Metrics>,
    undos: Undos,
    /// What edits did to weighted routes.
    edits: Edits,
    audit: AuditLog,
}

impl ObjectEditor {
    /// An editor of what `views` shows.
    pub fn new(
        views: watch::Receiver<Arc<View>>,
        documents: Documents,
        undos: Undos,
        edits: Edits,
        metrics: Arc<Metrics>,
        audit: AuditLog,
    ) -> Self {
        Self { views, documents, metrics, undos, edits, audit }
    }

    /// What an edit would do. Writes nothing. Whatever keeps it from being made is told in the answer.
    pub async fn preview(
        &self,
        edit: &ObjectEdit,
        credential: Option<&Credential>,
    ) -> Result<ObjectPreview, ObjectEditError> {
        let view = self.views.borrow().clone();
        let (draft, whole) = read(edit).await?;
        let mut preview = ObjectPreview { object: edit.object.clone(), ..ObjectPreview::default() };
        if edit.action != Action::Delete {
            preview.object = draft.object().map(|object| object.reference.clone()).or(preview.object);
            preview.findings = draft.findings();
        }
        let Some(object) = preview.object.clone().filter(|_| draft.is_sound() || edit.action == Action::Delete) else {
            return Ok(preview);
        };
        let key = ObjectKey::from(&object);
        let present = view.snapshot.object(&key).cloned();
        preview.sentences_before = present.as_deref().map(meaning::of).unwrap_or_default();
        preview.sentences = draft.object().map(|object| meaning::of(object)).unwrap_or_default();
        preview.command = command(edit.action, &object);
        if let Err(error) = editable(&object) {
            preview.refusal = Some(error.to_string());
            return Ok(preview);
        }
        let access = Access { index: Some(&view.index), credential };
        let mut after = draft.object().cloned();
        match self.documents.preview_whole(access, &whole).await {
            Ok(found) => {
                preview.notes.extend(found.before.as_deref().and_then(warning));
                (preview.diff, preview.place, preview.owner) = (found.diff, found.place, found.owner);
                if preview.owner.is_some() {
                    // The owner would take it back.
                    preview.command.clear();
                }
                after = found.after;
            }
            Err(StoreError::Stale(stale)) => {
                let revision = stale.theirs.as_deref().map(text_revision).unwrap_or_default();
                preview.conflict = Some(Theirs { yaml: stale.theirs, revision, by: stale.by });
            }
            Err(error) => preview.refusal = Some(error.to_string()),
        }
        let change = match &after {
            Some(after) if edit.action != Action::Delete => Change::Put(Arc::clone(after)),
            _ => Change::Delete(key.clone()),
        };
        let effects = hypothetical::effects(Arc::clone(&view), change).await?;
        let own = |finding: &Diagnostic| finding.object.as_ref().is_some_and(|about| ObjectKey::from(about) == key);
        if edit.action != Action::Delete {
            for mut finding in effects.would_be.into_iter().filter(own) {
                if !preview.findings.iter().any(|known| findings::same(known, &finding)) {
                    let (line, column) = draft.locate(&finding.field);
                    (finding.file, finding.line, finding.column) = (None, Some(line), Some(column));
                    preview.findings.push(finding);
                }
            }
        }
        preview.new_findings = effects.new.into_iter().filter(|finding| !own(finding)).collect();
        preview.mended_findings =
            effects.mended.into_iter().filter(|finding| edit.action != Action::Delete || !own(finding)).collect();
        preview.ready = preview.refusal.is_none()
            && preview.conflict.is_none()
            && preview.owner.is_none()
            && !preview.diff.is_empty()
            // An API server that is asked strictly refuses these, too: what is not known does nothing.
            && !preview.findings.iter().any(|finding| finding.code == weft_api::code::UNKNOWN_FIELD);
        Ok(preview)
    }

    /// The difference that an edit would make, to be written down; empty when it cannot be told.
    async fn difference(&self, edit: &ObjectEdit, credential: Option<&Credential>) -> String {
        let view = self.views.borrow().clone();
        let Ok((_, whole)) = read(edit).await else { return String::new() };
        let access = Access { index: Some(&view.index), credential };
        self.documents.preview_whole(access, &whole).await.map(|found| found.diff).unwrap_or_default()
    }

    /// Which right an edit takes, and on what.
    pub async fn needs(&self, edit: &ObjectEdit) -> Result<(Verb, ObjectRef), ObjectEditError> {
        let (draft, _) = read(edit).await?;
        let verb = match edit.action {
            Action::Create => Verb::Create,
            Action::Update => Verb::Update,
            Action::Delete => Verb::Delete,
        };
        let drafted = || draft.object().map(|object| object.reference.clone());
        let object = edit.object.clone().filter(|_| edit.action != Action::Create).or_else(drafted);
        object.map(|object| (verb, object)).ok_or_else(|| first_fault(&draft))
    }

    /// Makes an edit with the user's token where one is needed, writes it down, and waits shortly until it shows.
    /// Whoever made it may take it back.
    pub async fn apply(&self, edit: &ObjectEdit, caller: &Caller) -> Result<ObjectResult, ObjectEditError> {
        let view = self.views.borrow().clone();
        let (verb, object) = self.needs(edit).await?;
        editable(&object)?;
        let (draft, whole) = read(edit).await?;
        if edit.action != Action::Delete && !draft.is_sound() {
            return Err(first_fault(&draft));
        }
        let credential = caller.credential();
        // What was there before is gone afterwards, so the difference is worked out first.
        let diff = self.difference(edit, credential).await;
        let applied = self.documents.apply_whole(Access { index: Some(&view.index), credential }, &whole).await?;
        tracing::info!(%object, %verb, "object edited");
        let (key, after) = (ObjectKey::from(&object), applied.after.clone());
        self.metrics.edited(move |snapshot, _| holds(snapshot, &key, after.as_deref()));
        let action = match edit.action {
            Action::Create => audit::Action::Create,
            Action::Update => audit::Action::Update,
            Action::Delete => audit::Action::Delete,
        };
        self.audit.record(caller, action, Some(&object), &diff, "").await;
        let (id, at_ms) = (format!("{:016x}", rand::random::<u64>()), now_ms());
        let done = Done::new(object.clone(), edit.action, applied.undo);
        let kept = self.undos.keep(&id, caller.name(), at_ms, &done).await;
        if let (Some(before), Some(after)) = (view.snapshot.object(&ObjectKey::from(&object)), &applied.after) {
            let moves = moves::moves(before, after);
            moves::note(&self.edits, moves, (id.as_str(), caller.name(), at_ms), &object).await;
        }
        self.wait(&object, applied.after.as_deref()).await;
        let undo_until_ms = kept.map_or(0, |()| at_ms + millis(UNDO_FOR));
        let content = applied.after.as_deref().map(content).unwrap_or_default();
        Ok(ObjectResult { id, object, undo_until_ms, content })
    }

    /// An edit that `by` made and can take back; `None` when no such edit is known.
    pub async fn done(&self, id: &str, by: &str) -> Result<Option<Done>, ObjectEditError> {
        self.undos.find(id, by).await
    }

    /// Takes an edit back, as long as what it left is still there, and writes that down; gives the revision then.
    pub async fn undo(&self, id: &str, done: &Done, caller: &Caller) -> Result<String, ObjectEditError> {
        let access = Access { index: None, credential: caller.credential() };
        let revision = self.documents.undo(access, &done.undo).await?;
        self.audit.record(caller, audit::Action::Undo, Some(&done.object), "", "").await;
        self.undos.forget(id).await;
        let new = format!("{:016x}", rand::random::<u64>());
        moves::note_undo(&self.edits, id, (new.as_str(), caller.name(), now_ms())).await;
        let wanted = (done.object.clone(), revision.clone());
        self.metrics.edited(move |snapshot, index| revision_in(snapshot, index, &wanted.0) == wanted.1);
        let mut views = self.views.clone();
        let shows = views.wait_for(|view| view.revision(&done.object) == revision);
        let _ = tokio::time::timeout(VISIBLE_WITHIN, shows).await;
        Ok(revision)
    }

    /// Waits until the view says what the edit left. The edit is made either way; a page that is told a moment too early
    /// is told again by an event.
    async fn wait(&self, object: &ObjectRef, after: Option<&Object>) {
        let key = ObjectKey::from(object);
        let mut views = self.views.clone();
        let shows = views.wait_for(|view| holds(&view.snapshot, &key, after));
        let _ = tokio::time::timeout(VISIBLE_WITHIN, shows).await;
    }
}

/// Whether a state says what an edit left.
fn holds(snapshot: &Snapshot, key: &ObjectKey, after: Option<&Object>) -> bool {
    match (snapshot.object(key), after) {
        (Some(now), Some(after)) => now.content == after.content,
        (None, None) => true,
        _ => false,
    }
}

/// Reads an edit's text, beside the runtime: it may be large and hostile.
async fn read(edit: &ObjectEdit) -> Result<(Arc<Draft>, WholeEdit), ObjectEditError> {
    let text = edit.yaml.clone();
    let draft = Arc::new(tokio::task::spawn_blocking(move || Draft::read(&text)).await?);
    let key = || edit.object.as_ref().map(ObjectKey::from).ok_or(ObjectEditError::NoObject);
    let whole = match edit.action {
        Action::Create => WholeEdit::Create(Arc::clone(&draft)),
        Action::Update => WholeEdit::Update(key()?, Arc::clone(&draft), edit.revision.clone()),
        Action::Delete => WholeEdit::Delete(key()?, edit.revision.clone()),
    };
    Ok((draft, whole))
}

/// Refuses kinds that are not written here.
fn editable(object: &ObjectRef) -> Result<(), ObjectEditError> {
    match Kind::of(object.group(), &object.kind) {
        Some(kind) if !UNEDITED.contains(&kind) => Ok(()),
        _ => Err(ObjectEditError::Kind(object.kind.clone())),
    }
}

fn first_fault(draft: &Draft) -> ObjectEditError {
    let first = draft.findings().into_iter().next();
    ObjectEditError::Draft(first.map_or_else(
        || "it names no object".to_owned(),
        |finding| {
            let place = finding.line.map(|line| format!("line {line}: ")).unwrap_or_default();
            let fix = finding.suggestion.map(|fix| format!(" ({fix})")).unwrap_or_default();
            format!("{place}{}{fix}", finding.message)
        },
    ))
}

/// Helm does not take an edit back at once, but at its next upgrade.
fn warning(object: &Object) -> Option<String> {
    (owner::of(&object.meta) == Some("Helm"))
        .then(|| "Helm made this object; its next upgrade may take this edit back.".to_owned())
}

/// The same with kubectl.
fn command(action: Action, object: &ObjectRef) -> String {
    let namespace = if object.namespace.is_empty() { String::new() } else { format!(" -n {}", object.namespace) };
    match (action, Kind::of(object.group(), &object.kind)) {
        (Action::Create, _) => "kubectl create -f FILE".to_owned(),
        (Action::Update, _) => "kubectl diff -f FILE; kubectl replace -f FILE".to_owned(),
        (Action::Delete, Some(kind)) if !kind.group().is_empty() => {
            format!("kubectl delete {}.{} {}{namespace}", kind.plural(), kind.group(), object.name)
        }
        (Action::Delete, _) => format!("kubectl delete {} {}{namespace}", object.kind.to_lowercase(), object.name),
    }
}
