//! What a test does with users, roles and their sessions.

use jiff::SignedDuration;

use super::directory::{NewSession, Role, SessionCredentials, User};
use crate::aws_sim::AwsSim;
use crate::aws_sim::world::Sim;

impl AwsSim {
    /// Add a role, or change the one with its ARN; its sessions go on, under the new policies. Errors: the simulator
    /// cannot read a policy, or it is not the ARN of a role.
    pub fn put_role(&self, role: Role) -> anyhow::Result<()> {
        self.sim.world().change(|estate| estate.iam.put_role(role))
    }

    /// Change the role with that ARN: its trust, its policies or anything else but the ARN. Errors: there is no such
    /// role; what would come out is not one.
    pub fn change_role(&self, arn: &str, change: impl FnOnce(&mut Role)) -> anyhow::Result<()> {
        self.sim.world().change(|estate| {
            let Some(mut role) = estate.iam.role(arn).cloned() else {
                anyhow::bail!("no such role: {arn}");
            };
            change(&mut role);
            anyhow::ensure!(role.arn == arn, "the change of {arn} makes it {}", role.arn);
            estate.iam.put_role(role)
        })
    }

    /// Let the role with that ARN vanish; whether it was there. Credentials of its sessions are invalid from then on,
    /// also if a role of that ARN is put again. Jobs that its sessions have started fail at their end, unless a role of
    /// that ARN can write their output by then.
    #[expect(clippy::must_use_candidate, reason = "the answer is for those who ask")]
    pub fn remove_role(&self, arn: &str) -> bool {
        self.sim.world().change(|estate| estate.iam.remove_role(arn))
    }

    /// The roles that there are, in the order of their ARNs.
    pub fn roles(&self) -> Vec<Role> {
        self.sim.world().estate.iam.roles().cloned().collect()
    }

    /// Add a user, or change the one with that ARN: from then on the access keys are theirs, and their policies say what
    /// they may do. Errors: the simulator cannot read a policy, it is not the ARN of a user, a key is another user's.
    pub fn put_user(&self, user: User) -> anyhow::Result<()> {
        self.sim.world().change(|estate| estate.iam.put_user(user))
    }

    /// Let the user with that ARN vanish; whether they were there. Their access keys are invalid from then on.
    #[expect(clippy::must_use_candidate, reason = "the answer is for those who ask")]
    pub fn remove_user(&self, arn: &str) -> bool {
        self.sim.world().change(|estate| estate.iam.remove_user(arn))
    }

    /// The users that there are, in the order of their ARNs.
    pub fn users(&self) -> Vec<User> {
        self.sim.world().estate.iam.users().cloned().collect()
    }

    /// Credentials of a new session of a role, good for an hour or [`crate::aws_sim::Config::session_ms`]: what a pod
    /// gets from its cluster, without a question of trust. Errors: there is no such role.
    pub fn session(&self, role_arn: &str, name: &str) -> anyhow::Result<SessionCredentials> {
        self.sim.session(role_arn, name)
    }

    /// Let the sessions that a role has now expire, whatever their credentials say; how many there are.
    #[expect(clippy::must_use_candidate, reason = "the number is for those who ask")]
    pub fn expire_sessions(&self, role_arn: &str) -> usize {
        self.sim.expire_sessions(role_arn)
    }

    /// Revoke the sessions that a role has now, as the console of IAM does: they may do nothing any more, by an explicit
    /// deny. New ones may. Whether there is such a role.
    #[expect(clippy::must_use_candidate, reason = "the answer is for those who ask")]
    pub fn revoke_sessions(&self, role_arn: &str) -> bool {
        self.sim.world().change(|estate| estate.iam.revoke(role_arn))
    }
}

impl Sim {
    pub(in crate::aws_sim) fn session(&self, role_arn: &str, name: &str) -> anyhow::Result<SessionCredentials> {
        let mut world = self.world();
        let lifetime = SignedDuration::from_millis(world.config.session_ms.unwrap_or(3_600_000));
        let expires = world.clock(world.now()) + lifetime;
        let new = NewSession {
            name: name.to_owned(),
            ..NewSession::default()
        };
        let issued = world.estate.iam.issue(role_arn, new, expires);
        let (credentials, _) = issued.ok_or_else(|| anyhow::anyhow!("no such role: {role_arn}"))?;
        Ok(credentials)
    }

    pub(in crate::aws_sim) fn expire_sessions(&self, role_arn: &str) -> usize {
        let mut world = self.world();
        let now = world.clock(world.now());
        world.estate.iam.expire(role_arn, now)
    }
}
