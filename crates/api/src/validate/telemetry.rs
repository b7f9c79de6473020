//! The kind of `telemetry.istio.io`.

use super::{authorization::targets, checks::Checks};
use crate::telemetry::{CustomTag, Telemetry};

pub(super) fn check(spec: &Telemetry, checks: &mut Checks<'_>) {
    targets(spec.selector.as_ref(), spec.target_ref.as_ref(), &spec.target_refs, checks);
    for (index, tracing) in spec.tracing.iter().enumerate() {
        let at = format!("spec.tracing[{index}]");
        for (index, provider) in tracing.providers.iter().enumerate() {
            if provider.name.is_empty() {
                let remedy = "write a name from meshConfig.extensionProviders";
                checks.advise(format!("{at}.providers[{index}]"), "the provider has no name", remedy);
            }
        }
        if let Some(share) = tracing.random_sampling_percentage {
            checks.percent(format!("{at}.randomSamplingPercentage"), share);
        }
        for (name, tag) in &tracing.custom_tags {
            let mut field = format!("{at}.customTags");
            if name.is_empty() {
                checks.error(field, "a tag's name is empty");
                continue;
            }
            crate::field::push_key(&mut field, name);
            custom_tag(tag, &field, checks);
        }
    }
}

fn custom_tag(tag: &CustomTag, at: &str, checks: &mut Checks<'_>) {
    let given = [tag.literal.is_some(), tag.environment.is_some(), tag.header.is_some(), tag.formatter.is_some()];
    if given.iter().filter(|given| **given).count() > 1 {
        checks.error(at, "only one of literal, environment, header and formatter may be given");
    }
    if tag.literal.as_ref().is_some_and(|literal| literal.value.is_empty()) {
        checks.error(format!("{at}.literal"), "the value is missing");
    }
    if tag.environment.as_ref().is_some_and(|variable| variable.name.is_empty()) {
        checks.error(format!("{at}.environment"), "the name of the variable is missing");
    }
    if tag.header.as_ref().is_some_and(|header| header.name.is_empty()) {
        checks.error(format!("{at}.header"), "the name of the header is missing");
    }
}
