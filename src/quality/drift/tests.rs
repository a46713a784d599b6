use std::sync::Arc;

use rstest::rstest;

use super::suggest;
use crate::contract::CodeList;
use crate::diagnostic::{Problems, SourceFile};

const MODELS: &str = "code,label,label_en,aliases\n\
    association,Association,,Association loi 1901\n\
    scic,SCIC ou SCOP,,\"Coopérative|SCIC, SCOP\"\n\
    autre,Autre,,\n";

fn models() -> Arc<CodeList> {
    let file = SourceFile::new("seeds/codes/modeles.csv", MODELS);
    CodeList::parse("modeles", &file, &Problems::new()).unwrap()
}

#[rstest]
#[case::like_a_label(
    "Associations",
    &[],
    1,
    "if it means `association`, make that line of seeds/codes/modeles.csv \
     `association,Association,,Association loi 1901|Associations`; if not, add `associations,Associations,,`"
)]
#[case::the_only_one_that_is_gone(
    "Société à plusieurs",
    &["scic"],
    1,
    "if it means `scic`, which no row has any longer, make that line of seeds/codes/modeles.csv \
     `scic,SCIC ou SCOP,,\"Coopérative|SCIC, SCOP|Société à plusieurs\"`; if not, add \
     `societe_a_plusieurs,Société à plusieurs,,`"
)]
#[case::one_of_several_new("Société à plusieurs", &["scic"], 2, "add it to seeds/codes/modeles.csv as `societe_a_plusieurs,Société à plusieurs,,`")]
#[case::like_nothing("Mairie, école", &[], 1, "add it to seeds/codes/modeles.csv as `mairie_ecole,\"Mairie, école\",,`")]
#[case::no_alias_holds_a_bar("Autre|Autres", &[], 1, "add it to seeds/codes/modeles.csv as `autre_autres,Autre|Autres,,`")]
fn an_option_that_is_in_no_list_is_told_with_the_line_to_write(
    #[case] option: &str,
    #[case] gone: &[&str],
    #[case] new: usize,
    #[case] advice: &str,
) {
    let gone: Vec<(String, u64)> = gone.iter().map(|code| ((*code).to_owned(), 3)).collect();
    assert_eq!(suggest::option(&models(), option, &gone, new), advice);
}
