use axum::http::StatusCode;
use schemars::{
    JsonSchema, SchemaGenerator,
    generate::SchemaSettings,
    transform::{RecursiveTransform, Transform},
};
use serde_json::{Map, Value, json};

/// The shapes of all answers, by name, and those of what is asked.
pub(in crate::http) struct Shapes {
    answers: SchemaGenerator,
    asks: SchemaGenerator,
}

impl Shapes {
    pub(super) fn new() -> Self {
        let settings = |settings: &mut SchemaSettings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        };
        // What is sent has all its fields, whatever reading would stand in for.
        let without_defaults = RecursiveTransform(|schema: &mut schemars::Schema| {
            schema.remove("default");
            without_links(schema);
        });
        let answers = SchemaSettings::draft2020_12().with(settings).for_serialize().with_transform(without_defaults);
        let mut asks = SchemaSettings::draft2020_12().with(settings).for_deserialize();
        asks.inline_subschemas = true;
        Self { answers: answers.into_generator(), asks: asks.into_generator() }
    }

    /// `components.schemas`, ordered by name.
    pub(super) fn take(&mut self) -> Map<String, Value> {
        let mut all: Vec<(String, Value)> = self.answers.take_definitions(true).into_iter().collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all.into_iter().collect()
    }

    /// Where the shape of an answer is.
    pub(super) fn answer<T: JsonSchema>(&mut self) -> Value {
        self.answers.subschema_for::<T>().to_value()
    }

    fn ask<T: JsonSchema>(&mut self) -> Value {
        let mut schema = self.asks.subschema_for::<T>();
        // The title would be the type's own name, which is nobody's business.
        schema.remove("title");
        RecursiveTransform(|schema: &mut schemars::Schema| {
            if schema.get("default") == Some(&Value::Null) {
                schema.remove("default");
            }
            without_links(schema);
        })
        .transform(&mut schema);
        schema.to_value()
    }
}

/// One operation while it is described.
pub(in crate::http) struct Operation<'a> {
    pub(super) shapes: &'a mut Shapes,
    pub(super) parameters: Vec<Value>,
    /// Parameters that are taken and not told, being others under older names.
    pub(super) also: Vec<&'static str>,
    pub(super) body: Option<Value>,
    pub(super) answers: Map<String, Value>,
}

impl<'a> Operation<'a> {
    pub(super) fn new(shapes: &'a mut Shapes) -> Self {
        Self { shapes, parameters: Vec::new(), also: Vec::new(), body: None, answers: Map::new() }
    }

    /// Each field of `T` is a parameter of the query.
    pub(in crate::http) fn query<T: JsonSchema>(&mut self) {
        let schema = self.shapes.ask::<T>();
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let mut field = plain(field);
            let words = field.as_object_mut().and_then(|field| field.remove("description")).unwrap_or_default();
            // A list is written by repeating its name.
            self.parameters.push(json!({
                "name": name,
                "in": "query",
                "required": required.contains(&name.as_str()),
                "description": words,
                "schema": field,
            }));
        }
    }

    /// These names are taken as well; the words of another parameter tell it.
    pub(in crate::http) fn also(&mut self, names: &[&'static str]) {
        self.also.extend(names);
    }

    /// The body is a `T`.
    pub(super) fn body<T: JsonSchema>(&mut self, media: &str) {
        let schema = self.shapes.ask::<T>();
        self.body = Some(json!({"required": true, "content": {media: {"schema": schema}}}));
    }

    /// Answers a `T` as JSON.
    pub(super) fn answer<T: JsonSchema>(&mut self, status: StatusCode) {
        let schema = self.shapes.answer::<T>();
        let words = if status == StatusCode::CREATED { "It was made." } else { "The answer." };
        self.answers.insert(
            status.as_u16().to_string(),
            json!({"description": words, "content": {"application/json": {"schema": schema}}}),
        );
    }

    /// Answers something that is no JSON of the API.
    pub(super) fn done(&mut self, status: StatusCode, media: Option<&str>, words: &str) {
        let mut answer = json!({"description": words});
        if let Some(media) = media {
            let kind = if media == "application/json" { "object" } else { "string" };
            answer["content"] = json!({media: {"schema": {"type": kind}}});
        }
        self.answers.insert(status.as_u16().to_string(), answer);
    }
}

/// Links of the sources lead nowhere in the document: they become the names that its fields have.
fn without_links(schema: &mut schemars::Schema) {
    let Some(Value::String(words)) = schema.get("description") else { return };
    let (mut plain, mut rest) = (String::new(), words.as_str());
    while let Some((before, after)) = rest.split_once("[`")
        && let Some((link, behind)) = after.split_once("`]")
    {
        let name = link.trim_start_matches("super::").trim_start_matches("crate::").replace("::", ".");
        plain.extend([before, "`", camel(&name).as_str(), "`"]);
        rest = behind;
    }
    plain.push_str(rest);
    schema.insert("description".to_owned(), plain.into());
}

/// `times_ms` as `timesMs`.
fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| {
        let mut rest = part.chars();
        name + &rest.next().into_iter().flat_map(char::to_uppercase).chain(rest).collect::<String>()
    })
}

/// A field as it is written in an address, where leaving it out is all that null can mean.
fn plain(field: &Value) -> Value {
    let mut field = field.clone();
    let Some(map) = field.as_object_mut() else { return field };
    if let Some(kinds) = map.get_mut("type").and_then(Value::as_array_mut) {
        kinds.retain(|kind| kind != "null");
        if let [one] = &kinds[..] {
            let one = one.clone();
            map.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(choices)) = map.get("anyOf").cloned() {
        let some: Vec<Value> = choices.into_iter().filter(|choice| choice["type"] != "null").collect();
        if let [Value::Object(one)] = &some[..] {
            map.remove("anyOf");
            for (key, value) in one {
                map.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
    }
    field
}
