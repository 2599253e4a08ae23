//! Where the pictures of a data set are, and how they come out of their files.

use std::path::PathBuf;
use std::sync::Arc;

use super::picture::Picture;
use crate::error::Result;
use crate::resize::Form;

/// A file for each picture. A clone is cheap.
#[derive(Clone)]
pub(crate) struct Files {
    paths: Arc<[PathBuf]>,
    form: Form,
}

impl Files {
    pub(crate) fn new(paths: Vec<PathBuf>, form: Form) -> Self {
        Self {
            paths: paths.into(),
            form,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.paths.len()
    }

    /// Picture `index` as it is stored.
    pub(crate) fn picture(&self, index: usize) -> Result<Picture> {
        Picture::read(&self.paths[index], self.form.channels)
    }

    /// The bytes of picture `index` in the form of all.
    pub(crate) fn decode(&self, index: usize) -> Result<Vec<u8>> {
        Ok(self.form.fit(self.picture(index)?))
    }
}
