//! `[ostree]`.

use super::Checker;
use super::sections::is_bool;
use crate::document::At;
use crate::manifest::{OstreeComposeSection, OstreeDeploySection, OstreeSection};
use crate::raw::{RawOstree, RawOstreeCompose, RawOstreeDeploy};

impl Checker<'_> {
    pub(super) fn ostree(&mut self, at: At<RawOstree>) -> OstreeSection {
        let RawOstree { deploy, compose } = at.value;
        if deploy.is_none() && compose.is_none() {
            let hint = "add [ostree.deploy], [ostree.compose] or both";
            self.problem(at.span, "this `ostree` neither deploys nor composes anything", Some(hint.to_owned()));
        }
        OstreeSection {
            deploy: deploy.map(|at| self.ostree_deploy(at)),
            compose: compose.map(|at| self.ostree_compose(at)),
        }
    }

    fn ostree_deploy(&mut self, at: At<RawOstreeDeploy>) -> OstreeDeploySection {
        let line = self.line(&at.span);
        let RawOstreeDeploy {
            stateroot,
            remote,
            url,
            reference,
            upgrade_url,
            upgrade_ref,
            verify,
            gpg_keys,
            gpg_keypath,
            ed25519_keys,
            root,
            kernel_args,
        } = at.value;
        OstreeDeploySection {
            stateroot: self.optional(stateroot),
            remote: self.optional(remote),
            url: self.optional(url),
            reference: self.optional(reference),
            upgrade_url: self.optional(upgrade_url),
            upgrade_ref: self.optional(upgrade_ref),
            verify: self.scalar(verify, "true or false", is_bool),
            gpg_keys: self.templates(gpg_keys),
            gpg_keypath: self.optional(gpg_keypath),
            ed25519_keys: self.templates(ed25519_keys),
            root: self.optional(root),
            kernel_args: self.templates(kernel_args),
            line,
        }
    }

    fn ostree_compose(&mut self, at: At<RawOstreeCompose>) -> OstreeComposeSection {
        let line = self.line(&at.span);
        let RawOstreeCompose { treefile, release, variables, reference, repo, sign_keys, delta, when } = at.value;
        OstreeComposeSection {
            treefile: self.own_file("treefile", &treefile, false),
            release: self.optional(release),
            variables: variables.into_iter().map(|(name, text)| (name, self.template(text))).collect(),
            reference: self.optional(reference),
            repo: self.optional(repo),
            sign_keys: self.templates(sign_keys),
            delta: self.scalar(delta, "true or false", is_bool),
            when: self.condition(when),
            line,
        }
    }
}
