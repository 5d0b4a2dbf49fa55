//! Identifiers derived from the recipe's seed, so that the same recipe always gives the same ones.

use uuid::Uuid;

/// The namespace of everything Isotope derives.
const NAMESPACE: Uuid = Uuid::from_u128(0x8a1f_6b0e_5c6d_4f3a_9b53_1d0c_7e42_a9d1);

/// The seed of a build: a UUID as it is, other text hashed; without one it follows from the recipe's name.
pub(crate) fn seed(given: Option<&str>, name: &str) -> Uuid {
    match given {
        Some(text) => Uuid::parse_str(text).unwrap_or_else(|_| derive(NAMESPACE, "seed", text)),
        None => derive(NAMESPACE, "recipe", name),
    }
}

/// The GUID of the disk.
pub(crate) fn disk(seed: Uuid) -> Uuid {
    derive(seed, "disk", "")
}

/// The unique GUID of a partition.
pub(crate) fn partition(seed: Uuid, name: &str) -> Uuid {
    derive(seed, "partition", name)
}

/// The UUID of the filesystem in a partition.
pub(crate) fn filesystem(seed: Uuid, name: &str) -> Uuid {
    derive(seed, "filesystem", name)
}

fn derive(namespace: Uuid, kind: &str, name: &str) -> Uuid {
    Uuid::new_v5(&namespace, format!("{kind}:{name}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{disk, filesystem, partition, seed};

    #[test]
    fn same_input_same_ids_and_no_two_alike() {
        let first = seed(None, "debian-cloud");
        assert_eq!(first, seed(None, "debian-cloud"));
        assert_ne!(first, seed(None, "debian-cloud-xfs"));
        let ids = [disk(first), partition(first, "root"), filesystem(first, "root"), partition(first, "esp")];
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }

    #[test]
    fn a_uuid_is_its_own_seed() {
        let text = "0e0d5d1c-7a44-4b8c-9a51-6b1f3f5a2c11";
        assert_eq!(seed(Some(text), "x").to_string(), text);
        assert_ne!(seed(Some("words"), "x"), seed(None, "words"));
    }
}
