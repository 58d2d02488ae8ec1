//! The rights that the chart gives the operator: rendered by the real helm, given in a control plane, and taken up by the
//! operator's own service account.

use std::fmt;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams, TypeMeta};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::control_plane::{ControlPlane, program};
use crate::install::{RELEASE, chart};
use crate::wait::{self, Look};

const KINDS: [&str; 5] = [
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
];

/// What the chart renders for one release about who may do what.
#[derive(Clone, Debug)]
pub struct Rights {
    namespace: String,
    documents: Vec<Value>,
    removed: Vec<Grant>,
}

/// One verb on one resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The API group.
    pub group: String,
    /// The resource, with its subresource (`transcriptionjobs/status`).
    pub resource: String,
    /// The one object that it is about; empty: all of them.
    pub name: String,
    /// The verb.
    pub verb: String,
    /// The one namespace in which it is given; empty: in all.
    pub namespace: String,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.kind())?;
        for (word, part) in [(" ", &self.name), (" in ", &self.namespace)] {
            if !part.is_empty() {
                write!(f, "{word}{part}")?;
            }
        }
        Ok(())
    }
}

impl Rights {
    /// What `helm template` renders for the release [`RELEASE`] in this namespace with these values (`name=value,…`).
    pub async fn render(namespace: &str, values: &str) -> anyhow::Result<Self> {
        let output = Command::new(program("helm")?)
            .args(["template", RELEASE, "--namespace", namespace, "--set", values])
            .arg(chart()?)
            .output()
            .await?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self::of(namespace, std::str::from_utf8(&output.stdout)?)
    }

    /// Those of these manifests (YAML). An error where looking at them does not tell what the operator may do.
    fn of(namespace: &str, manifests: &str) -> anyhow::Result<Self> {
        let mut documents: Vec<Value> = serde_saphyr::from_multiple(manifests)?;
        documents.retain(|document| KINDS.iter().any(|kind| document["kind"] == *kind));
        let rights = Self {
            namespace: namespace.to_owned(),
            documents,
            removed: Vec::new(),
        };
        for binding in rights.documents.iter().filter(|it| it["roleRef"].is_object()) {
            let name = &binding["metadata"]["name"];
            let accounts = subjects(binding).all(|subject| subject["kind"] == "ServiceAccount");
            ensure!(accounts, "{name} binds a role to others than service accounts");
            ensure!(rights.role(binding).is_some(), "{name} binds a role of others");
        }
        for Bound { role, .. } in rights.bound() {
            let role = &rights.documents[role];
            let mut rules = role["rules"].as_array().into_iter().flatten();
            let plain = role["aggregationRule"].is_null() && rules.all(|rule| rule["nonResourceURLs"].is_null());
            ensure!(
                plain,
                "{} grants more than verbs on resources",
                role["metadata"]["name"]
            );
        }
        Ok(rights)
    }

    /// All that the roles grant which are bound to the release's service account.
    pub fn grants(&self) -> Vec<Grant> {
        let mut grants: Vec<_> = self.bound().iter().flat_map(|bound| bound.grants.clone()).collect();
        grants.sort();
        grants.dedup();
        grants
    }

    /// The same without one grant.
    #[must_use]
    pub fn without(mut self, removed: &Grant) -> Self {
        for Bound { role, grants, .. } in self.bound() {
            let left = grants.iter().filter(|grant| *grant != removed);
            self.documents[role]["rules"] = left.map(Grant::rule).collect();
        }
        self.removed.push(removed.clone());
        self
    }

    /// Applies them, and waits until the API server grants just this.
    pub async fn give(&self, plane: &ControlPlane) -> anyhow::Result<Account> {
        let client = plane.client()?;
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}});
        for document in std::iter::once(&namespace).chain(&self.documents) {
            let object: DynamicObject = serde_json::from_value(document.clone())?;
            apply(&client, &object, &self.namespace).await?;
        }
        let account = Account::of(plane, &self.namespace, RELEASE).await?;
        for grant in self.grants() {
            account.until(&grant, true).await?;
        }
        for grant in &self.removed {
            account.until(grant, false).await?;
        }
        Ok(account)
    }

    fn bound(&self) -> Vec<Bound> {
        let ours = json!({"kind": "ServiceAccount", "name": RELEASE, "namespace": self.namespace});
        let is_ours = |subject: &Value| {
            ["kind", "name", "namespace"]
                .iter()
                .all(|key| subject[key] == ours[key])
        };
        let bindings = self.documents.iter().filter(|it| subjects(it).any(is_ours));
        let bound = |binding: &Value| {
            let role = self.role(binding)?;
            let namespace = binding["metadata"]["namespace"].as_str().unwrap_or_default();
            let rules = self.documents[role]["rules"].as_array().into_iter().flatten();
            Some(Bound {
                role,
                grants: rules.flat_map(|rule| grants(rule, namespace)).collect(),
            })
        };
        bindings.filter_map(bound).collect()
    }

    /// The place of the role that a binding names.
    fn role(&self, binding: &Value) -> Option<usize> {
        let named = &binding["roleRef"];
        let is_named = |role: &Value| role["kind"] == named["kind"] && role["metadata"]["name"] == named["name"];
        self.documents.iter().position(is_named)
    }
}

fn subjects(binding: &Value) -> impl Iterator<Item = &Value> {
    binding["subjects"].as_array().into_iter().flatten()
}

/// A role that is bound to the service account, by its place among the documents.
struct Bound {
    role: usize,
    grants: Vec<Grant>,
}

fn grants(rule: &Value, namespace: &str) -> Vec<Grant> {
    let words = |member: &str| {
        let words = rule[member].as_array().into_iter().flatten();
        let words: Vec<_> = words.filter_map(|word| word.as_str().map(str::to_owned)).collect();
        words
    };
    let mut names = words("resourceNames");
    if names.is_empty() {
        names.push(String::new());
    }
    let mut grants = Vec::new();
    for group in words("apiGroups") {
        for resource in words("resources") {
            for name in &names {
                grants.extend(words("verbs").into_iter().map(|verb| Grant {
                    group: group.clone(),
                    resource: resource.clone(),
                    name: name.clone(),
                    verb,
                    namespace: namespace.to_owned(),
                }));
            }
        }
    }
    grants
}

impl Grant {
    /// The resource as kubectl names it: `transcriptionjobs.transcribe-operator.io/status`.
    pub fn kind(&self) -> String {
        let (resource, subresource) = self
            .resource
            .split_at(self.resource.find('/').unwrap_or(self.resource.len()));
        let dot = if self.group.is_empty() { "" } else { "." };
        format!("{resource}{dot}{}{subresource}", self.group)
    }

    fn rule(&self) -> Value {
        let mut rule = json!({"apiGroups": [self.group], "resources": [self.resource], "verbs": [self.verb]});
        if !self.name.is_empty() {
            rule["resourceNames"] = json!([self.name]);
        }
        rule
    }
}

async fn apply(client: &kube::Client, object: &DynamicObject, namespace: &str) -> anyhow::Result<()> {
    let TypeMeta { api_version, kind } = object.types.clone().context("a document without a kind")?;
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
    let api = if kind == "Namespace" || kind.starts_with("Cluster") {
        Api::<DynamicObject>::all_with(client.clone(), &resource)
    } else {
        Api::namespaced_with(client.clone(), namespace, &resource)
    };
    let name = object.metadata.name.as_deref().context("a document without a name")?;
    let params = PatchParams::apply("tests").force();
    api.patch(name, &params, &Patch::Apply(object)).await?;
    Ok(())
}

/// The operator's service account. Every operator of the tests has one, and none is an administrator.
#[derive(Clone)]
pub struct Account {
    user: String,
    token: String,
    client: kube::Client,
}

impl Account {
    /// The service account of a release that is installed; an error when it is an administrator.
    pub async fn of(plane: &ControlPlane, namespace: &str, name: &str) -> anyhow::Result<Self> {
        let token = plane.service_account_token(namespace, name).await?;
        let mut config = plane.config()?;
        config.auth_info.token = Some(token.clone().into());
        let account = Self {
            user: format!("system:serviceaccount:{namespace}:{name}"),
            token,
            client: kube::Client::try_from(config)?,
        };
        for (verb, resource) in [("get", "secrets"), ("create", "pods"), ("*", "*")] {
            let grant = Grant {
                resource: resource.to_owned(),
                verb: verb.to_owned(),
                namespace: "kube-system".to_owned(),
                ..Grant::default()
            };
            ensure!(!account.may(&grant).await?, "{} may {grant}", account.user);
        }
        Ok(account)
    }

    /// Its name, as the API server's audit has it.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Its bearer token, good for an hour.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Whether the API server would let it.
    pub async fn may(&self, grant: &Grant) -> anyhow::Result<bool> {
        let (resource, subresource) = grant.resource.split_once('/').unwrap_or((&grant.resource, ""));
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let attributes = ResourceAttributes {
            group: given(&grant.group),
            resource: given(resource),
            subresource: given(subresource),
            name: given(&grant.name),
            namespace: given(&grant.namespace),
            verb: given(&grant.verb),
            ..ResourceAttributes::default()
        };
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(attributes),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let reviews = Api::<SelfSubjectAccessReview>::all(self.client.clone());
        let answer = reviews.create(&PostParams::default(), &review).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }

    async fn until(&self, grant: &Grant, allowed: bool) -> anyhow::Result<()> {
        let what = format!("{}: {grant} is {allowed}", self.user);
        wait::until(&what, async || {
            Ok(Look::at(self.may(grant).await? == allowed, "it is not"))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFESTS: &str = "
{kind: ServiceAccount, metadata: {name: transcribe-operator, namespace: ns}}
---
{kind: ClusterRole, metadata: {name: one}, rules: [{apiGroups: [''], resources: [a, a/status], verbs: [get, list]}]}
---
{kind: ClusterRole, metadata: {name: tenants}, rules: [{apiGroups: [''], resources: [b], verbs: [get]}]}
---
{kind: Role, metadata: {name: one, namespace: ns}, rules: [
  {apiGroups: [g], resources: [c], resourceNames: [x, z], verbs: [get]}, {apiGroups: [g], resources: [c], verbs: [create]}]}
---
{kind: ClusterRoleBinding, metadata: {name: one}, roleRef: {kind: ClusterRole, name: one},
  subjects: [{kind: ServiceAccount, name: transcribe-operator, namespace: ns}]}
---
{kind: RoleBinding, metadata: {name: one, namespace: ns}, roleRef: {kind: Role, name: one},
  subjects: [{kind: ServiceAccount, name: transcribe-operator, namespace: ns}]}
";

    fn shown(rights: &Rights) -> Vec<String> {
        rights.grants().iter().map(Grant::to_string).collect()
    }

    #[test]
    fn only_what_is_bound_is_granted() {
        let mut granted = shown(&Rights::of("ns", MANIFESTS).unwrap());
        granted.sort();
        let all = [
            "create c.g in ns",
            "get a",
            "get a/status",
            "get c.g x in ns",
            "get c.g z in ns",
            "list a",
            "list a/status",
        ];
        assert_eq!(granted, all);
        assert!(Rights::of("elsewhere", MANIFESTS).unwrap().grants().is_empty());
    }

    #[test]
    fn one_grant_is_removed_and_all_others_stay() {
        let rights = Rights::of("ns", MANIFESTS).unwrap();
        for grant in rights.grants() {
            let mut left = shown(&rights);
            left.retain(|other| *other != grant.to_string());
            assert_eq!(shown(&rights.clone().without(&grant)), left);
        }
    }

    #[test]
    fn what_looking_does_not_tell_is_an_error() {
        for (from, to) in [
            ("{kind: Role, name: one}", "{kind: ClusterRole, name: cluster-admin}"),
            ("subjects: [{", "subjects: [{kind: Group, name: all}, {"),
            (
                "resources: [c], verbs: [create]",
                "nonResourceURLs: ['/'], verbs: [get]",
            ),
            ("{name: one}, rules", "{name: one}, aggregationRule: {}, rules"),
        ] {
            let changed = MANIFESTS.replace(from, to);
            assert_ne!(changed, MANIFESTS);
            Rights::of("ns", &changed).unwrap_err();
        }
    }
}
