//! Decides the next step towards a certificate that the API server trusts, now and through every renewal.
//!
//! The rules: a certificate is issued only by an authority that the API server already trusts. An authority is renewed
//! long before it expires, and its predecessor stays trusted for as long as a certificate that it issued may live.

use jiff::{SignedDuration, Timestamp};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// How far `notBefore` lies in the past, so that clients whose clock is behind accept a new certificate.
pub(super) const BACKDATED: SignedDuration = SignedDuration::from_hours(1);
/// The most earlier authorities that are kept. The limit is needed because each deletion of the Secret creates another
/// one.
const MAX_KEPT: usize = 8;

/// The lifetimes of certificates. Each is renewed after two thirds of its lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Of the certificate authority.
    pub authority: SignedDuration,
    /// Of the served certificate. At most a third of the authority's lifetime, so that no certificate outlives its
    /// authority.
    pub served: SignedDuration,
}

impl Lifetimes {
    /// How old an authority has to be before it issues a certificate that can wait, because API servers learn of it
    /// through a watch.
    fn settling(&self) -> SignedDuration {
        (self.served / 20).min(SignedDuration::from_secs(30))
    }
}

/// A parsed certificate, without its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    pub(super) der: Vec<u8>,
    pub(super) issued: Timestamp,
    pub(super) expires: Timestamp,
}

impl Certificate {
    /// Parses a certificate. `None`: it is not one.
    pub(super) fn from_der(der: &[u8]) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(der).ok()?;
        let at = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).ok();
        Some(Self {
            der: der.to_vec(),
            issued: at(parsed.validity().not_before)?.saturating_add(BACKDATED).ok()?,
            expires: at(parsed.validity().not_after)?,
        })
    }

    /// The certificates of a PEM text. Anything else in it is skipped.
    pub(super) fn bundle(pem: &[u8]) -> Vec<Self> {
        let blocks = pem::parse_many(pem).unwrap_or_default();
        blocks
            .iter()
            .filter(|block| block.tag() == "CERTIFICATE")
            .filter_map(|block| Self::from_der(block.contents()))
            .collect()
    }

    fn age(&self, now: Timestamp) -> SignedDuration {
        now.duration_since(self.issued)
    }

    fn expired(&self, now: Timestamp) -> bool {
        self.expires <= now
    }

    fn due(&self, now: Timestamp) -> bool {
        self.age(now) >= self.expires.duration_since(self.issued) * 2 / 3
    }
}

/// Encodes certificates as PEM.
pub(super) fn to_pem(certificates: &[Certificate]) -> String {
    let blocks: Vec<_> = certificates
        .iter()
        .map(|certificate| pem::Pem::new("CERTIFICATE", certificate.der.clone()))
        .collect();
    pem::encode_many_config(&blocks, pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF))
}

/// The Secret's content, without the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredAuthority {
    /// The authority that issues certificates now.
    pub(super) authority: Certificate,
    /// Every authority to trust, including the one that issues.
    pub(super) bundle: Vec<Certificate>,
}

/// What this process serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) certificate: Certificate,
    pub(super) issuer: Certificate,
    pub(super) names: Vec<String>,
}

/// Everything that the next step depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observed<'a> {
    pub(super) now: Timestamp,
    /// `None` if there is no Secret, or it cannot be used.
    pub(super) stored: Option<&'a StoredAuthority>,
    /// The authorities that the API server trusts, for each webhook of the configuration.
    pub(super) trusted: &'a [Vec<Certificate>],
    /// The host names that the API server uses to call the webhooks.
    pub(super) names: &'a [String],
    pub(super) served: Option<&'a Served>,
}

/// What to do next. After each step except `Done` the state is read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Create an authority and store it. These earlier ones stay trusted.
    CreateAuthority(Vec<Certificate>),
    /// Store only these as trusted.
    Trim(Vec<Certificate>),
    /// Write the stored bundle to the webhook configuration, so that the API server trusts it.
    Publish,
    /// Issue a certificate and serve it.
    Issue,
    /// There is nothing to do.
    Done,
}

/// The next step.
pub(super) fn next(seen: Observed<'_>, lifetimes: Lifetimes) -> Step {
    let usable = |stored: &&StoredAuthority| !stored.authority.due(seen.now);
    let Some(stored) = seen.stored.filter(usable) else {
        return Step::CreateAuthority(to_keep(seen));
    };
    let wanted = wanted(stored, seen.now, lifetimes);
    if wanted != stored.bundle {
        return Step::Trim(wanted);
    }
    if seen.trusted.iter().any(|trusted| *trusted != wanted) {
        return Step::Publish;
    }
    if must_issue(seen, stored, lifetimes) {
        return Step::Issue;
    }
    Step::Done
}

/// Why the API server would not accept the served certificate. `None`: it does.
pub(super) fn not_ready(seen: Observed<'_>) -> Option<&'static str> {
    let Some(served) = seen.served else {
        return Some("the webhook has no certificate yet");
    };
    if served.certificate.expired(seen.now) {
        return Some("the webhook's certificate has expired");
    }
    if served.names != seen.names {
        return Some("the webhook's certificate is for another name");
    }
    let trusts = |trusted: &Vec<Certificate>| trusted.contains(&served.issuer);
    (!seen.trusted.iter().all(trusts)).then_some("the API server does not trust the webhook's certificate yet")
}

/// The earlier authorities that may have issued a certificate that some process still serves, newest first.
fn to_keep(seen: Observed<'_>) -> Vec<Certificate> {
    let stored = seen.stored.map(|stored| &stored.bundle);
    let mut kept: Vec<Certificate> = Vec::new();
    for known in stored.into_iter().chain(seen.trusted).flatten() {
        if !known.expired(seen.now) && !kept.contains(known) {
            kept.push(known.clone());
        }
    }
    kept.sort_by_key(|known| std::cmp::Reverse(known.issued));
    kept.truncate(MAX_KEPT);
    kept
}

/// The stored bundle without expired authorities, and without all earlier ones once everything that they issued has
/// expired.
fn wanted(stored: &StoredAuthority, now: Timestamp, lifetimes: Lifetimes) -> Vec<Certificate> {
    let alone = stored.authority.age(now) > lifetimes.served + lifetimes.settling();
    let earlier = stored
        .bundle
        .iter()
        .filter(|known| **known != stored.authority && !known.expired(now) && !alone);
    std::iter::once(&stored.authority).chain(earlier).cloned().collect()
}

fn must_issue(seen: Observed<'_>, stored: &StoredAuthority, lifetimes: Lifetimes) -> bool {
    let Some(served) = seen.served else { return true };
    let useless =
        served.certificate.expired(seen.now) || served.names != seen.names || !stored.bundle.contains(&served.issuer);
    useless || (served.certificate.due(seen.now) && stored.authority.age(seen.now) >= lifetimes.settling())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIMES: Lifetimes = Lifetimes {
        authority: SignedDuration::from_hours(365 * 24),
        served: SignedDuration::from_hours(7 * 24),
    };

    fn day(day: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + day * 86_400).unwrap()
    }

    fn authority(made: i64) -> Certificate {
        Certificate {
            der: format!("authority of day {made}").into_bytes(),
            issued: day(made),
            expires: day(made + 365),
        }
    }

    fn stored(bundle: &[i64]) -> StoredAuthority {
        StoredAuthority {
            authority: authority(bundle[0]),
            bundle: bundle.iter().copied().map(authority).collect(),
        }
    }

    fn served(issuer: i64, made: i64) -> Served {
        Served {
            certificate: Certificate {
                der: b"served".to_vec(),
                issued: day(made),
                expires: day(made + 7),
            },
            issuer: authority(issuer),
            names: vec!["webhook.test.svc".to_owned()],
        }
    }

    struct State {
        now: i64,
        stored: Option<StoredAuthority>,
        trusted: Vec<i64>,
        served: Option<Served>,
    }

    impl State {
        fn seen<R>(&self, ask: impl FnOnce(Observed<'_>) -> R) -> R {
            ask(Observed {
                now: day(self.now),
                stored: self.stored.as_ref(),
                trusted: &[self.trusted.iter().copied().map(authority).collect()],
                names: &["webhook.test.svc".to_owned()],
                served: self.served.as_ref(),
            })
        }

        fn step(&self) -> Step {
            self.seen(|seen| next(seen, LIFETIMES))
        }

        fn ready(&self) -> bool {
            self.seen(not_ready).is_none()
        }
    }

    fn steady() -> State {
        State {
            now: 20,
            stored: Some(stored(&[0])),
            trusted: vec![0],
            served: Some(served(0, 18)),
        }
    }

    #[test]
    fn the_first_start_goes_from_nothing_to_ready_in_three_steps() {
        let mut state = State {
            now: 0,
            stored: None,
            trusted: vec![],
            served: None,
        };
        assert_eq!(state.step(), Step::CreateAuthority(vec![]));
        state.stored = Some(stored(&[0]));
        assert_eq!(state.step(), Step::Publish);
        state.trusted = vec![0];
        assert_eq!(state.step(), Step::Issue);
        assert!(!state.ready());
        state.served = Some(served(0, 0));
        assert_eq!(state.step(), Step::Done);
        assert!(state.ready());
    }

    #[test]
    fn nothing_is_done_while_everything_is_as_it_should_be() {
        assert_eq!(steady().step(), Step::Done);
        assert!(steady().ready());
    }

    #[test]
    fn a_certificate_is_renewed_after_two_thirds_of_its_life() {
        let step = |made| {
            State {
                served: Some(served(0, made)),
                ..steady()
            }
            .step()
        };
        assert_eq!(step(16), Step::Done);
        assert_eq!(step(15), Step::Issue);
    }

    #[test]
    fn an_authority_is_renewed_after_two_thirds_of_its_life_and_the_old_one_stays_trusted() {
        let rotating = State {
            now: 244,
            served: Some(served(0, 243)),
            ..steady()
        };
        assert_eq!(rotating.step(), Step::CreateAuthority(vec![authority(0)]));
        let rest = State {
            now: 243,
            served: Some(served(0, 242)),
            ..steady()
        };
        assert_eq!(rest.step(), Step::Done);

        let stored = Some(stored(&[244, 0]));
        let published = State {
            stored: stored.clone(),
            ..rotating
        };
        assert_eq!(published.step(), Step::Publish);
        let overlap = State {
            trusted: vec![244, 0],
            ..published
        };
        assert_eq!(overlap.step(), Step::Done, "what is served is still good");
        assert!(overlap.ready());
        let due = State { now: 249, ..overlap };
        assert_eq!(due.step(), Step::Issue);
        let alone = State {
            now: 252,
            served: Some(served(244, 249)),
            ..due
        };
        assert_eq!(alone.step(), Step::Trim(vec![authority(244)]));
    }

    #[test]
    fn a_new_authority_is_not_used_at_once_while_the_old_certificate_is_good() {
        let mut state = State {
            now: 244,
            stored: Some(stored(&[244, 0])),
            trusted: vec![244, 0],
            served: Some(served(0, 239)),
        };
        assert_eq!(state.step(), Step::Done);
        state.served = Some(served(0, 230));
        assert_eq!(state.step(), Step::Issue, "it has expired");
    }

    #[test]
    fn a_lost_secret_is_made_anew_and_what_is_trusted_stays_so() {
        let lost = State {
            stored: None,
            ..steady()
        };
        assert_eq!(lost.step(), Step::CreateAuthority(vec![authority(0)]));
        assert!(lost.ready());
        let found = State {
            stored: Some(stored(&[20, 0])),
            ..lost
        };
        assert_eq!(found.step(), Step::Publish);
        assert!(found.ready());
    }

    #[test]
    fn a_wiped_bundle_is_written_again() {
        for trusted in [vec![], vec![7]] {
            let wiped = State { trusted, ..steady() };
            assert_eq!(wiped.step(), Step::Publish);
            assert!(!wiped.ready());
        }
    }

    #[test]
    fn what_nobody_trusts_is_replaced_at_once() {
        let both_lost = State {
            stored: Some(stored(&[20])),
            trusted: vec![20],
            ..steady()
        };
        assert_eq!(both_lost.step(), Step::Issue);
        let renamed = Served {
            names: vec!["other".to_owned()],
            ..served(0, 18)
        };
        let renamed = State {
            served: Some(renamed),
            ..steady()
        };
        assert_eq!(renamed.step(), Step::Issue);
        assert!(!renamed.ready());
    }

    #[test]
    fn expired_and_too_many_authorities_are_forgotten() {
        let known: Vec<i64> = (-400..=20).step_by(20).collect();
        let lost = State {
            stored: None,
            trusted: known,
            ..steady()
        };
        let Step::CreateAuthority(kept) = lost.step() else {
            panic!("{:?}", lost.step())
        };
        assert_eq!(kept.len(), MAX_KEPT);
        assert_eq!(kept[0], authority(20));
        let expired = State {
            stored: None,
            trusted: vec![-365, -364],
            ..steady()
        };
        assert_eq!(
            State { now: 0, ..expired }.step(),
            Step::CreateAuthority(vec![authority(-364)])
        );
    }

    #[test]
    fn a_text_that_holds_no_certificate_is_an_empty_bundle() {
        for text in [
            "",
            "nonsense",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\n",
        ] {
            assert_eq!(Certificate::bundle(text.as_bytes()), vec![], "{text}");
        }
    }
}
