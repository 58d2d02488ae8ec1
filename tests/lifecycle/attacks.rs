//! What a tenant may try to get at what is others' is refused, by the field that tries it, and tells nothing of others.

use std::sync::Arc;

use serde_json::{Value, json};
use transcribe_operator::{
    api::{Kind, transcription_class::TranscriptionClass},
    domain::{
        Class, Desired, Rejection, Request,
        class::selection::{Labels, select},
    },
};

use crate::{
    table::{ACCOUNT, ANOTHER_ACCOUNT, Attack, NAMESPACE, NO_ORACLE, attacks, classes, harmless, table},
    world::{head, subject},
};

fn labels() -> Labels {
    [("kubernetes.io/metadata.name".to_owned(), NAMESPACE.to_owned())].into()
}

fn stored() -> Vec<Arc<TranscriptionClass>> {
    let class = |(name, spec)| Arc::new(TranscriptionClass::new(name, serde_json::from_value(spec).unwrap()));
    classes().into_iter().map(class).collect()
}

/// As the webhook and the reconciler do it.
fn judged(kind: Kind, spec: &Value, account: Option<&str>) -> Result<Desired, Rejection> {
    let mut spec = spec.clone();
    // As the API server does.
    spec.as_object_mut().unwrap().retain(|_, member| !member.is_null());
    let request = Request::parse(kind, &spec)?;
    let classes = stored();
    let wanted = spec["transcriptionClassName"].as_str();
    let class = select(&classes, wanted, Some(&labels()))?;
    Desired::bind(
        request,
        &Class::new(class, account.map(ToOwned::to_owned)),
        &head(),
        &subject(),
    )
}

#[test]
fn every_attack_meets_what_the_table_says() {
    let attacks = attacks();
    println!("{}", table(&attacks));
    for kind in Kind::ALL {
        let count = attacks.iter().filter(|attack| attack.kind == *kind).count();
        assert!(count > 80, "{kind}: {count}");
    }
    let faults: Vec<String> = attacks.iter().filter_map(fault).collect();
    assert!(
        faults.is_empty(),
        "{} of {}:\n{}",
        faults.len(),
        attacks.len(),
        faults.join("\n")
    );
}

fn fault(attack: &Attack) -> Option<String> {
    let Err(Rejection {
        reason, field, message, ..
    }) = judged(attack.kind, &attack.spec, Some(ACCOUNT))
    else {
        return Some(format!("{}: is accepted", attack.name));
    };
    let told = format!("{}: {} {field:?} {message}", attack.name, reason.as_str());
    let as_expected = reason.as_str() == attack.reason && field.as_deref() == Some(attack.field);
    let said = if attack.says == NO_ORACLE {
        message == NO_ORACLE
    } else {
        message.contains(attack.says)
    };
    let unsaid = [ACCOUNT, ANOTHER_ACCOUNT, "AKIA", "jane.doe"];
    let silent = unsaid.iter().all(|secret| !message.contains(secret)) && message.len() < 600;
    (!(as_expected && said && silent)).then_some(told)
}

#[test]
fn what_is_the_tenants_own_is_accepted() {
    for (kind, spec) in harmless() {
        let judged = judged(kind, &spec, Some(ACCOUNT));
        let desired = judged.unwrap_or_else(|rejection| panic!("{kind}: {spec}: {rejection}"));
        assert!(desired.key_is_judged());
    }
}

#[test]
fn a_class_that_is_anothers_reads_as_one_that_does_not_exist() {
    for kind in Kind::ALL.iter().copied() {
        let told = |class: &str| {
            let spec = crate::table::job(kind, json!({"transcriptionClassName": class}));
            let rejection = judged(kind, &spec, Some(ACCOUNT)).unwrap_err();
            rejection.message.replace(class, "X")
        };
        assert_eq!(told("payroll"), told("nothing"));
        assert!(!told("nothing").contains("payroll"), "{}", told("nothing"));
    }
}

/// A bare id or alias is accepted, but unjudged. Everything else is refused as ever.
#[test]
fn without_the_account_no_attack_gets_further_than_an_unjudged_key() {
    for attack in attacks() {
        match judged(attack.kind, &attack.spec, None) {
            Ok(desired) => {
                assert!(attack.says == NO_ORACLE && !desired.key_is_judged(), "{}", attack.name);
                let key = desired.key.unwrap();
                assert!(!key.as_str().starts_with("arn:"), "{}", attack.name);
            }
            Err(rejection) => assert_eq!(rejection.reason.as_str(), attack.reason, "{}", attack.name),
        }
    }
}
