//! Licences of data: their names, their pages, and which may go into which.
//!
//! Licences are named by their SPDX identifier, in any case.

/// A licence that we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Licence {
    spdx: &'static str,
    title: &'static str,
    url: &'static str,
    notice: &'static str,
    /// Identifiers of the licences under which a release may hold data that came under this one.
    into: &'static [&'static str],
}

/// Each page is the one by which data.gouv.fr recognises the licence, where it does.
///
/// What `into` says, and why:
/// - CC0 and PDDL ask for nothing, so that they go into everything;
/// - MIT, etalab-2.0 and ODC-By ask to be named, which the list of sources does. They go into licences that ask for as
///   much or more; etalab-2.0 says so itself for all licences that ask for attribution;
/// - CC-BY-4.0 goes into etalab-2.0 and, by its own rules, into CC-BY-SA-4.0. It forbids technical protection, which
///   ODbL allows beside an open copy, so that it does not go into ODbL without leave;
/// - ODbL and CC-BY-SA bind what is made from them to themselves: they go nowhere else;
/// - Apache-2.0 and CECILL-2.1 are licences of software, under which repositories put their data too. Both ask for their
///   whole text to go along, and CECILL-2.1 binds what is made from it: they go nowhere else.
const LICENCES: [Licence; 10] = [
    Licence {
        spdx: "etalab-2.0",
        title: "Licence Ouverte / Open Licence 2.0",
        url: "https://www.etalab.gouv.fr/licence-ouverte-open-licence",
        notice: "Vous pouvez réutiliser ces données librement, y compris à des fins commerciales, à condition de \
                 mentionner leur source et la date de leur dernière mise à jour.",
        into: &["ODbL-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "ODC-By-1.0"],
    },
    Licence {
        spdx: "ODbL-1.0",
        title: "Open Database License (ODbL) 1.0",
        url: "http://opendatacommons.org/licenses/odbl/summary/",
        notice: "Vous pouvez réutiliser cette base de données librement, y compris à des fins commerciales, à condition \
                 de mentionner sa source et de diffuser sous la même licence toute base que vous en tirez.",
        into: &[],
    },
    Licence {
        spdx: "CC-BY-4.0",
        title: "Creative Commons Attribution 4.0 International",
        url: "https://creativecommons.org/licenses/by/4.0/",
        notice: "Vous pouvez réutiliser ces données librement, y compris à des fins commerciales, à condition de \
                 mentionner leur auteur et leur licence et d'indiquer vos modifications.",
        into: &["etalab-2.0", "CC-BY-SA-4.0"],
    },
    Licence {
        spdx: "CC-BY-SA-4.0",
        title: "Creative Commons Attribution - Partage dans les mêmes conditions 4.0 International",
        url: "https://creativecommons.org/licenses/by-sa/4.0/",
        notice: "Vous pouvez réutiliser ces données librement, y compris à des fins commerciales, à condition de \
                 mentionner leur auteur et de diffuser sous la même licence ce que vous en tirez.",
        into: &[],
    },
    Licence {
        spdx: "CC0-1.0",
        title: "Creative Commons Zero 1.0 Universal",
        url: "https://creativecommons.org/publicdomain/zero/1.0/",
        notice: "L'auteur a renoncé à ses droits autant que la loi le permet : vous pouvez réutiliser ces données sans \
                 condition.",
        into: &[
            "etalab-2.0",
            "ODbL-1.0",
            "CC-BY-4.0",
            "CC-BY-SA-4.0",
            "PDDL-1.0",
            "ODC-By-1.0",
            "MIT",
            "Apache-2.0",
            "CECILL-2.1",
        ],
    },
    Licence {
        spdx: "PDDL-1.0",
        title: "Open Data Commons Public Domain Dedication and License 1.0",
        url: "http://opendatacommons.org/licenses/pddl/summary/",
        notice: "L'auteur a versé cette base de données au domaine public : vous pouvez la réutiliser sans condition.",
        into: &[
            "etalab-2.0",
            "ODbL-1.0",
            "CC-BY-4.0",
            "CC-BY-SA-4.0",
            "CC0-1.0",
            "ODC-By-1.0",
            "MIT",
            "Apache-2.0",
            "CECILL-2.1",
        ],
    },
    Licence {
        spdx: "ODC-By-1.0",
        title: "Open Data Commons Attribution License 1.0",
        url: "http://opendatacommons.org/licenses/by/summary/",
        notice: "Vous pouvez réutiliser cette base de données librement, y compris à des fins commerciales, à condition \
                 de mentionner sa source.",
        into: &["etalab-2.0", "ODbL-1.0"],
    },
    Licence {
        spdx: "MIT",
        title: "Licence MIT",
        url: "https://opensource.org/license/mit",
        notice: "Vous pouvez réutiliser ce contenu librement, y compris à des fins commerciales, à condition de \
                 conserver la mention de ses auteurs et de sa licence.",
        into: &["etalab-2.0", "ODbL-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "ODC-By-1.0"],
    },
    Licence {
        spdx: "Apache-2.0",
        title: "Licence Apache 2.0",
        url: "https://www.apache.org/licenses/LICENSE-2.0",
        notice: "Vous pouvez réutiliser ce contenu librement, y compris à des fins commerciales, à condition de joindre la \
                 licence, de conserver les mentions de ses auteurs et d'indiquer vos modifications.",
        into: &[],
    },
    Licence {
        spdx: "CECILL-2.1",
        title: "CeCILL 2.1",
        url: "https://cecill.info/licences/Licence_CeCILL_V2.1-fr.html",
        notice: "Vous pouvez réutiliser ce contenu librement, y compris à des fins commerciales, à condition de joindre la \
                 licence, de mentionner ses auteurs et de diffuser sous la même licence ce que vous en tirez.",
        into: &[],
    },
];

fn find(spdx: &str) -> Option<&'static Licence> {
    LICENCES.iter().find(|licence| licence.spdx.eq_ignore_ascii_case(spdx))
}

/// Identifiers of the licences that we know, to suggest from.
pub fn licence_ids() -> impl Iterator<Item = &'static str> {
    LICENCES.iter().map(|licence| licence.spdx)
}

/// The licence's identifier as SPDX writes it.
pub fn licence_id(spdx: &str) -> Option<&'static str> {
    find(spdx).map(|licence| licence.spdx)
}

/// The licence's name for people.
pub fn licence_title(spdx: &str) -> Option<&'static str> {
    find(spdx).map(|licence| licence.title)
}

/// The licence's page, spelled as data.gouv.fr knows it.
pub fn licence_url(spdx: &str) -> Option<&'static str> {
    find(spdx).map(|licence| licence.url)
}

/// One sentence in French on what the licence allows; the licence itself stands at [`licence_url`].
pub fn licence_text(spdx: &str) -> Option<&'static str> {
    find(spdx).map(|licence| licence.notice)
}

/// Whether a release under `release_spdx` may hold data that came under `source_spdx`.
///
/// A licence goes into itself; a licence that we do not know goes nowhere.
pub fn compatible(source_spdx: &str, release_spdx: &str) -> bool {
    match (find(source_spdx), find(release_spdx)) {
        (Some(source), Some(release)) => source == release || source.into.contains(&release.spdx),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::share_alike_into_open("ODbL-1.0", "etalab-2.0", false)]
    #[case::creative_share_alike_into_open("CC-BY-SA-4.0", "etalab-2.0", false)]
    #[case::public_domain_into_open("CC0-1.0", "etalab-2.0", true)]
    #[case::attribution_into_open("CC-BY-4.0", "etalab-2.0", true)]
    #[case::open_into_itself("etalab-2.0", "etalab-2.0", true)]
    #[case::open_into_share_alike("etalab-2.0", "ODbL-1.0", true)]
    #[case::attribution_into_share_alike("CC-BY-4.0", "ODbL-1.0", false)]
    #[case::attribution_into_public_domain("etalab-2.0", "CC0-1.0", false)]
    #[case::other_case("ETALAB-2.0", "odbl-1.0", true)]
    #[case::software_into_open("Apache-2.0", "etalab-2.0", false)]
    #[case::software_into_itself("apache-2.0", "Apache-2.0", true)]
    #[case::copyleft_software_into_open("CECILL-2.1", "etalab-2.0", false)]
    #[case::public_domain_into_software("CC0-1.0", "CECILL-2.1", true)]
    #[case::unknown_source("LicenseRef-maison", "etalab-2.0", false)]
    #[case::unknown_into_itself("LicenseRef-maison", "LicenseRef-maison", false)]
    fn licences_mix_as_they_say(#[case] source: &str, #[case] release: &str, #[case] expected: bool) {
        assert_eq!(compatible(source, release), expected);
    }

    #[test]
    fn every_licence_named_is_known() {
        for licence in &LICENCES {
            assert!(licence.into.iter().all(|id| find(id).is_some_and(|found| found.spdx == *id)), "{}", licence.spdx);
            assert!(!licence.into.contains(&licence.spdx), "{}", licence.spdx);
        }
    }
}
