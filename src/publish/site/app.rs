//! The scripts of the site: what `npm run build` made in `web/app` when the program was built. They lie in `assets/` of the
//! public store, with the digest of their bytes in their names: a page names those that it was made with, and older ones
//! stay for pages that a browser still holds, until `essaim catalog rebuild` collects them.

use bytes::Bytes;

use crate::store::StoreKey;

/// Where they lie, from the root of the site.
pub(super) const FOLDER: &str = "assets";

/// Files by name; none in a program that was built without them.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/app_files.rs"));

/// What a page loads, from the root of the site.
pub(super) fn loader() -> Option<String> {
    let is_loader = |name: &&str| {
        name.strip_prefix("app-").is_some_and(|rest| rest.split_once('.').is_some_and(|(_, kind)| kind == "js"))
    };
    let name = FILES.iter().map(|(name, _)| *name).find(is_loader)?;
    Some(format!("{FOLDER}/{name}"))
}

/// All of them, with where they are stored.
pub(super) fn files() -> impl Iterator<Item = (StoreKey, Bytes)> {
    let stored = |(name, bytes): &(&str, &'static [u8])| {
        (StoreKey::Page { path: format!("{FOLDER}/{name}") }, Bytes::from_static(bytes))
    };
    FILES.iter().map(stored)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Digest;

    #[test]
    fn a_file_bears_the_digest_of_its_bytes() {
        for (name, bytes) in FILES {
            let digest = Digest::of(bytes).to_string();
            let (_, said) = name.rsplit_once('-').unwrap();
            let (said, _) = said.split_once('.').unwrap();
            assert!(said.len() == 12 && digest.starts_with(said), "{name} has the digest {digest}");
        }
        assert_eq!(loader().is_some(), !FILES.is_empty());
    }
}
