//! The Query protocol: a form in, such as `Tags.member.1.Key=team`.

use serde_json::{Map, Value};

use super::{Model, Shape};
use crate::aws_sim::error::AwsError;

impl Model {
    /// The JSON that a form stands for, by the shapes of the operation's input. What has no shape is left as it is, for
    /// [`Model::check_input`] to refuse. Errors: there is no such operation.
    pub(in crate::aws_sim) fn read_query(&self, operation: &str, form: &[u8]) -> Result<Value, AwsError> {
        let found = self.operations.get(operation);
        let found = found.ok_or_else(|| AwsError::new("UnknownOperationException", ""))?;
        let mut tree = Value::Object(Map::new());
        for (path, text) in form_urlencoded::parse(form) {
            if path != "Action" && path != "Version" {
                graft(&mut tree, &path, &text);
            }
        }
        Ok(self.shaped(&found.input.shape, tree))
    }

    fn shaped(&self, shape: &str, given: Value) -> Value {
        match (self.shapes.get(shape), given) {
            (Some(Shape::Structure { members, .. }), Value::Object(given)) => given
                .into_iter()
                .map(|(name, value)| match members.get(&name) {
                    Some(member) => (name, self.shaped(&member.shape, value)),
                    None => (name, value),
                })
                .collect(),
            (Some(Shape::List { member, .. }), Value::Object(given)) => match given.get("member") {
                Some(Value::Object(items)) if given.len() == 1 => {
                    let mut items: Vec<_> = items.iter().collect();
                    items.sort_by_key(|(number, _)| number.parse::<u32>().unwrap_or(u32::MAX));
                    let items = items
                        .into_iter()
                        .map(|(_, item)| self.shaped(&member.shape, item.clone()));
                    items.collect()
                }
                _ => Value::Object(given),
            },
            // How an empty list is written.
            (Some(Shape::List { .. }), Value::String(text)) if text.is_empty() => Value::Array(Vec::new()),
            (Some(Shape::Integer { .. }), Value::String(text)) => {
                text.parse::<i64>().map_or(Value::String(text), Value::from)
            }
            (Some(Shape::Boolean {}), Value::String(text)) => {
                text.parse::<bool>().map_or(Value::String(text), Value::from)
            }
            (_, given) => given,
        }
    }
}

/// Put a text at the place that a path with dots names.
fn graft(tree: &mut Value, path: &str, text: &str) {
    let mut place = tree;
    for step in path.split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[step];
    }
    *place = Value::from(text);
}
