//! Many writers of one dataset at once: none is lost, none is doubled.
//!
//! Twenty publications are tried; with `ESSAIM_SWEEP=all` (`just sweep`) two hundred.

use rstest::rstest;

use super::bench::{Bench, DATASET, Place};
use crate::harness::Project;

const WRITERS: u32 = 8;

/// A project with a private store of its own that publishes to the bench's public one.
fn writer(bench: &Bench, place: Place) -> Project {
    let mut project = Project::empty();
    for name in ["essaim.toml", "pipelines/lieux.toml", "schemas/lieux.schema.json"] {
        project.write(name, bench.project.read(name));
    }
    std::os::unix::fs::symlink(crate::harness::repository().join("seeds/cog"), {
        std::fs::create_dir_all(project.path("seeds")).unwrap();
        project.path("seeds/cog")
    })
    .unwrap();
    match place {
        Place::Folder => {
            let public = bench.project.path("data/public");
            project.replace("essaim.toml", "\"data/public\"", &format!("{:?}", public.to_str().unwrap()));
        }
        Place::Bucket => {
            let server = bench.server.as_ref().unwrap();
            server.env().into_iter().for_each(|(name, value)| project.set(name, &value));
            let text = project.read("essaim.toml");
            let private = text.lines().find(|line| line.starts_with("private")).unwrap();
            project.write("essaim.toml", text.replace(private, "private = \"data/private\""));
        }
    }
    project
}

#[rstest]
#[case::in_a_folder(Place::Folder)]
#[case::in_a_bucket(Place::Bucket)]
fn eight_writers_publish_one_after_the_other(#[case] place: Place) {
    let all = std::env::var("ESSAIM_SWEEP").is_ok_and(|sweep| sweep == "all");
    let runs: u32 = if all { 200 } else { 20 };
    let bench = Bench::new(place);
    let published: u32 = std::thread::scope(|scope| {
        let share = |at: u32| runs / WRITERS + u32::from(at < runs % WRITERS);
        let writers: Vec<_> = (0..WRITERS).map(|at| (writer(&bench, place), at, share(at))).collect();
        let threads: Vec<_> = writers
            .into_iter()
            .map(|(project, at, share)| {
                scope.spawn(move || {
                    let publish = |n: u32| {
                        project.write("seeds/lieux.csv", format!("id,nom\n1,Lieu {at} état {n}\n"));
                        let output = project.run();
                        assert!(output.stdout.contains("\tpublished\t"), "{}", output.stdout);
                        1
                    };
                    (0..share).map(publish).sum::<u32>()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(published, runs);
    let listed = bench.listed();
    assert_eq!(listed.len(), runs as usize, "every publication is a release of its own");
    let verified = bench.project.essaim(&["releases", "verify", DATASET]).expect(0);
    assert!(verified.stderr.contains(&format!("{runs} releases")), "{}", verified.stderr);
    assert!(verified.stderr.contains(" 0 faults"), "{}{}", verified.stdout, verified.stderr);
    if let Some(server) = &bench.server {
        assert!(server.conflicts() > 0, "no two writers ever met");
    }
}
