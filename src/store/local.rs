//! What a local folder needs beyond `object_store`: files that survive a power cut.

use std::collections::BTreeSet;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use crate::id::Digest;
use crate::id::Hasher;
use crate::store::error::StoreError;
use crate::store::fault;

const READ_SIZE: usize = 1 << 20;

/// Writes `bytes` to a new file that is complete and on the disk before it gets its name.
pub(crate) fn create_durable(root: &Path, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(root);
    let disk = |action, at: &Path| {
        let path = at.to_path_buf();
        move |source| StoreError::Disk { action, path, source }
    };
    fs::create_dir_all(folder).map_err(disk("create the folder", folder))?;
    let staged = staged(path);
    let written = write_synced(&staged, bytes).map_err(disk("write", &staged));
    fault::moment();
    // A link fails when the name is taken; a rename would replace what is there.
    let linked = written.and_then(|()| fs::hard_link(&staged, path).map_err(disk("create", path)));
    fault::moment();
    match fs::remove_file(&staged) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::warn!(path = %staged.display(), %error, "Left a staged file behind: `{}`", staged.display());
        }
    }
    linked?;
    sync_folders(root, folder)
}

/// A file on its way into the folder.
#[derive(Debug)]
pub(crate) enum Source {
    /// One that nobody changes any more: where the disk is the same it only gets a second name.
    Finished(PathBuf),
    /// One without a name, from its start.
    Nameless(File),
}

/// Brings a file to where it gets its name once it is complete, in place of what is there. It is not on the disk yet.
pub(crate) fn copy_file(root: &Path, source: Source, path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(root);
    let disk = |action, at: &Path| {
        let path = at.to_path_buf();
        move |source| StoreError::Disk { action, path, source }
    };
    fs::create_dir_all(folder).map_err(disk("create the folder", folder))?;
    let staged = staged(path);
    match source {
        Source::Finished(file) => {
            if fs::hard_link(&file, &staged).is_err() {
                fs::copy(&file, &staged).map_err(disk("copy", &file))?;
            }
        }
        Source::Nameless(mut file) => {
            let copied = File::create(&staged).and_then(|mut target| io::copy(&mut file, &mut target));
            copied.map_err(disk("write", &staged))?;
        }
    }
    fault::moment();
    fs::rename(&staged, path).map_err(disk("create", path))?;
    // Two names of one file both stay.
    match fs::remove_file(&staged) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(disk("tidy", &staged)(error)),
        _ => Ok(()),
    }
}

/// Where a file is written before it gets its name: `<name>#<digits>`, which listings of the store hide.
fn staged(path: &Path) -> PathBuf {
    let mut staged = path.as_os_str().to_owned();
    staged.push(format!("#{}", rand::random::<u64>()));
    PathBuf::from(staged)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Brings files and the folders that name them, up to `root`, to the disk.
pub(crate) fn sync_files(root: &Path, paths: &[PathBuf]) -> Result<(), StoreError> {
    let mut folders = BTreeSet::new();
    for path in paths {
        sync_one(path)?;
        folders.extend(folders_between(root, path.parent().unwrap_or(root)));
    }
    // Deepest first: a folder must not be named before what it holds is safe.
    folders.iter().rev().try_for_each(|folder| sync_folder(folder))
}

/// Removes what killed writers left in a folder and below and was not changed for `age`: files named `name#1`, which no
/// listing shows. Gives their number.
pub(crate) fn sweep(folder: &Path, age: Duration) -> Result<u64, StoreError> {
    let failed = |source| StoreError::Disk { action: "tidy", path: folder.to_path_buf(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(failed(error)),
    };
    let mut swept = 0;
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let staged = name.rsplit_once('#').is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        if path.is_dir() {
            swept += sweep(&path, age)?;
        } else if staged && is_older(&path, age).map_err(failed)? {
            fs::remove_file(&path).map_err(failed)?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// Whether a file was not changed for `age`; one that is gone is not.
fn is_older(path: &Path, age: Duration) -> io::Result<bool> {
    match fs::metadata(path).and_then(|metadata| metadata.modified()) {
        Ok(changed) => Ok(age.is_zero() || changed.elapsed().is_ok_and(|elapsed| elapsed >= age)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn sync_folders(root: &Path, folder: &Path) -> Result<(), StoreError> {
    folders_between(root, folder).iter().try_for_each(|folder| sync_folder(folder))
}

/// `folder` and its parents down to and with `root`, deepest first.
fn folders_between(root: &Path, folder: &Path) -> Vec<PathBuf> {
    folder.ancestors().take_while(|ancestor| ancestor.starts_with(root)).map(Path::to_path_buf).collect()
}

fn sync_one(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|source| StoreError::Disk {
        action: "bring to the disk",
        path: path.to_path_buf(),
        source,
    })
}

/// Only Unix lets a folder be synced.
fn sync_folder(path: &Path) -> Result<(), StoreError> {
    if cfg!(unix) { sync_one(path) } else { Ok(()) }
}

/// Digest and size of a file, `None` when there is none.
pub(crate) fn digest_of_file(path: &Path) -> Result<Option<(Digest, u64)>, StoreError> {
    let failed = |source| StoreError::Disk { action: "read", path: path.to_path_buf(), source };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut hasher = Hasher::default();
    let mut size = 0;
    let mut buffer = vec![0; READ_SIZE];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(Some((hasher.finish(), size))),
            Ok(n) => {
                hasher.update(&buffer[..n]);
                size += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}
