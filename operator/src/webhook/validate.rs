//! Checks that need only the object itself. What needs others never refuses: the other half may come next.

use weft_api::{ObjectError, Spec};

use super::{Review, Verdict};

/// Problems that one refusal lists.
const MAX_PROBLEMS: usize = 10;

/// Refuses what cannot work, warns of what has no effect.
pub fn decide(review: &Review) -> Verdict {
    if !matches!(review.operation.as_str(), "CREATE" | "UPDATE") || review.object.is_null() {
        return Verdict::admit();
    }
    // What is going is on its way out: refusing the removal of a finalizer would keep it for ever.
    if review.object["metadata"]["deletionTimestamp"].is_string() {
        return Verdict::admit();
    }
    match weft_api::parse(&review.object, &review.namespace) {
        Err(error) => refuse(std::slice::from_ref(&*error)),
        Ok(parsed) => {
            let problems = parsed.object.validate();
            if !problems.is_empty() {
                return refuse(&problems);
            }
            let warning = |unknown: &weft_api::UnknownField| {
                let remedy = unknown.suggestion.as_ref().map_or_else(String::new, |text| format!(" ({text})"));
                format!(
                    "{}: {} has no such field, it has no effect{remedy}",
                    unknown.field, parsed.object.reference.kind
                )
            };
            let mut warnings: Vec<String> = parsed.unknown_fields.iter().map(warning).collect();
            if let Spec::Mesh(mesh) = &parsed.object.spec {
                warnings.extend(weft_install::inject::mesh_warnings(&mesh.mesh_config));
            }
            Verdict { warnings, ..Verdict::default() }
        }
    }
}

fn refuse(problems: &[ObjectError]) -> Verdict {
    let one = |problem: &ObjectError| {
        let place = if problem.field.is_empty() { String::new() } else { format!("{}: ", problem.field) };
        let remedy = problem.suggestion.as_ref().map_or_else(String::new, |text| format!(" ({text})"));
        format!("{place}{}{remedy}", problem.message)
    };
    let mut text = problems.iter().take(MAX_PROBLEMS).map(one).collect::<Vec<_>>().join("; ");
    if problems.len() > MAX_PROBLEMS {
        text.push_str(&format!("; and {} more", problems.len() - MAX_PROBLEMS));
    }
    Verdict::refuse(422, text)
}
