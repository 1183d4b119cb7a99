//! Files in one file: tar (ustar) without times and owners, sorted by path.

use std::collections::BTreeMap;
use std::io::Read as _;

use super::{BundleError, MAX_BYTES, MAX_FILES};

/// The archive of these files.
///
/// # Errors
/// A path that no archive can hold.
pub fn pack(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, BundleError> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_path(path)?;
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        archive.append(&header, &bytes[..])?;
    }
    Ok(archive.into_inner()?)
}

/// The files of an archive that [`pack`] would make of them; nothing is ever written by their names.
///
/// # Errors
/// Everything but that one form, and over a limit.
pub fn unpack(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, BundleError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(BundleError::OverLimit(MAX_BYTES, "bytes"));
    }
    let mut files = BTreeMap::new();
    for file in tar::Archive::new(bytes).entries()? {
        let file = file?;
        let path = String::from_utf8_lossy(&file.path_bytes()).into_owned();
        let mut content = Vec::new();
        // A header may promise more than there is: what is read is bounded by the archive itself.
        file.take(MAX_BYTES).read_to_end(&mut content)?;
        files.insert(path, content);
        if files.len() > MAX_FILES {
            return Err(BundleError::OverLimit(MAX_FILES as u64, "files"));
        }
    }
    same(&pack(&files)?, bytes).map(|()| files)
}

/// Demands the one form.
pub(super) fn same(again: &[u8], bytes: &[u8]) -> Result<(), BundleError> {
    match again == bytes {
        true => Ok(()),
        false => {
            let same = again.iter().zip(bytes).take_while(|(a, b)| a == b).count();
            Err(BundleError::NotTheOneForm(same))
        }
    }
}
