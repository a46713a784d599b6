//! Long tables that cannot be made.

use super::{PIPELINE, checked};
use crate::harness::Project;

#[test]
fn every_mistake_of_a_long_table_is_told_in_one_go() {
    let change = |p: &Project| {
        let declared = r#"
[long.Choix]
table = "reponses"
questions = ["besoins"]

[long.regions]
table = "reponses"
questions = ["besoins"]

[long.de_rien]
ou = "region = 'Bretagne'"

[long.du_modele]
table = "structures"
questions = []

[long.de_nulle_part]
table = "reponse"
questions = ["besoins"]

[long.de_travers]
table = "reponses"
questions = ["besoin", "nom", "besoins", "besoins"]
"#;
        p.replace(PIPELINE, "# The release", &format!("{declared}\n# The release"));
    };
    let output = checked(change);
    let told = [
        "`Choix` cannot name a table",
        "there already is a table `regions`",
        "`table` is missing",
        "`questions` is missing",
        "unknown key `ou`",
        "there is no table `structures`",
        "long table `du_modele` lists nothing",
        "there is no table `reponse`",
        "`nom` does not have several options",
        "`besoins` is listed twice",
    ];
    for mistake in told {
        assert!(output.stderr.contains(mistake), "`{mistake}` is not told in\n{}", output.stderr);
    }
}
