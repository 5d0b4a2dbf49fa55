//! Trees over libostree: repositories, remotes and signatures, commits, deployments.
