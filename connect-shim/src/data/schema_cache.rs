//! What was worked out of schemas, once for each: their JSON, or the schemas that transforms make of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::{DataError, Schema};

/// How many schemas are remembered unless somebody says.
const SCHEMAS: usize = 1000;

/// What was made of schemas. A schema is known by where it is, and held on to, so that no other one can come to stand there. It
/// changes behind a shared reference, so that what makes a schema may look at the transform that the cache is part of.
#[derive(Debug)]
pub(crate) struct SchemaCache<T> {
    known: RefCell<HashMap<usize, (Arc<Schema>, T)>>,
    limit: usize,
}

impl<T> SchemaCache<T> {
    /// Remembers so many, and begins anew beyond them.
    pub(crate) fn with_limit(limit: usize) -> Self {
        Self { known: RefCell::default(), limit }
    }
}

impl<T> Default for SchemaCache<T> {
    fn default() -> Self {
        Self::with_limit(SCHEMAS)
    }
}

impl<T: Clone> SchemaCache<T> {
    /// What was made of a schema, now or before.
    ///
    /// # Errors
    /// Those of `make`.
    pub(crate) fn or_make(
        &self,
        schema: &Arc<Schema>,
        make: impl FnOnce(&Schema) -> Result<T, DataError>,
    ) -> Result<T, DataError> {
        self.or_make_anew(schema, |_| true, make)
    }

    /// The same, but what was made before is made anew unless it still `fits`.
    ///
    /// # Errors
    /// Those of `make`.
    pub(crate) fn or_make_anew(
        &self,
        schema: &Arc<Schema>,
        fits: impl FnOnce(&T) -> bool,
        make: impl FnOnce(&Schema) -> Result<T, DataError>,
    ) -> Result<T, DataError> {
        let place = Arc::as_ptr(schema) as usize;
        if let Some((_, made)) = self.known.borrow().get(&place)
            && fits(made)
        {
            return Ok(made.clone());
        }
        let made = make(schema)?;
        let mut known = self.known.borrow_mut();
        if known.len() >= self.limit {
            known.clear();
        }
        known.insert(place, (Arc::clone(schema), made.clone()));
        Ok(made)
    }
}
