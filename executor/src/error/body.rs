//! The body: what an error that needs more than one word points to.
//!
//! ```text
//! Error ──> Body ┬─ kind ──┬─ Cancelled: its causes, in order
//!                │         ├─ Group: what the parts of a group have in common, and the members ──> Error, Error, …
//!                │         └─ Other: the error of the user's (or of ours), behind a vtable
//!                └─ story ───> where it came from, what it passed, what is told beside it ──> Error, …
//! ```
//!
//! A body is shared by all clones of an error and is changed by a sole owner only; whoever shares it and wants to add
//! to it gets a copy first ([`Error::edit`]). The copy is shallow: the user's error itself is never copied, so what
//! [`Error::downcast_ref`] points to stays the same.

use super::group::Head;
use super::repr::{Repr, Word};
use super::story::Story;
use super::{Cause, Error};
use std::any::Any;
use std::mem;
use std::sync::Arc;

/// See the [module](self).
#[derive(Clone)]
pub(super) struct Body {
    pub(super) kind: Kind,
    /// Shared as well: the two parts of a split group tell the same story (EG-8).
    pub(super) story: Option<Arc<Story>>,
}

/// What the error is. Three kinds only: whatever else homing has (`TimedOut`, `Panicked`) is an error like any other.
#[derive(Clone)]
pub(super) enum Kind {
    Cancelled(Vec<Cause>),
    Group { head: Arc<Head>, errors: Vec<Error> },
    Other(Arc<dyn Payload>),
}

/// Any error that `?` accepts. An own trait, since `dyn std::error::Error` cannot be turned into `dyn Any`.
pub(super) trait Payload: std::error::Error + Any + Send + Sync {}

impl<E: std::error::Error + Send + Sync + 'static> Payload for E {}

impl Body {
    pub(super) fn new(kind: Kind) -> Self {
        Body { kind, story: None }
    }

    /// Takes out what this body is, for whoever owns it and is about to let it go.
    pub(super) fn take_kind(&mut self) -> Kind {
        // A `Body` has a destructor and so cannot be taken apart; an empty vector costs nothing.
        mem::replace(&mut self.kind, Kind::Cancelled(Vec::new()))
    }

    /// Moves every error that this body alone keeps alive to `orphans`.
    fn release_errors(&mut self, orphans: &mut Vec<Error>) {
        if let Kind::Group { errors, .. } = &mut self.kind {
            orphans.append(errors);
        }
        // `into_inner` and not `get_mut`: of several threads that let go of the story at once, exactly one gets it.
        if let Some(mut story) = self.story.take().and_then(Arc::into_inner) {
            story.release_errors(orphans);
        }
    }
}

/// Errors are taken apart in a loop and not by recursion, since nobody bounds the depth of a group of groups (EG-11):
/// each body hands its errors to a work list, and so has none left when its own turn to be dropped comes.
impl Drop for Body {
    fn drop(&mut self) {
        let mut orphans = Vec::new(); // allocates with the first error that is put in
        self.release_errors(&mut orphans);
        while let Some(orphan) = orphans.pop() {
            if let Some(mut body) = orphan.repr.into_shared().ok().and_then(Arc::into_inner) {
                body.release_errors(&mut orphans);
            }
        }
    }
}

impl Error {
    pub(super) fn from_kind(kind: Kind) -> Self {
        Error::from_body(Arc::new(Body::new(kind)))
    }

    pub(super) fn from_body(body: Arc<Body>) -> Self {
        Error { repr: Repr::shared(body) }
    }

    pub(super) fn body(&self) -> Option<&Body> {
        match self.repr.read() {
            Word::Shared(body) => Some(body),
            Word::Bare | Word::At(_) => None,
        }
    }

    /// Whether it is a cancellation that has nothing to tell but a place, and takes no memory.
    pub(crate) fn is_plain(&self) -> bool {
        self.body().is_none()
    }

    pub(super) fn story(&self) -> Option<&Story> {
        self.body()?.story.as_deref()
    }

    /// Changes the body, for this holder only: a plain error gets one, a shared one is copied first.
    pub(super) fn edit(&mut self, change: impl FnOnce(&mut Body)) {
        // While the word is away, a bare Cancelled stands in for it: that is free, and makes this safe code.
        let mut body = match mem::replace(&mut self.repr, Repr::bare()).into_shared() {
            Ok(body) => body,
            Err(plain) => Arc::new(Body::new(Kind::Cancelled(plain_causes(&plain)))),
        };
        change(Arc::make_mut(&mut body));
        self.repr = Repr::shared(body);
    }

    /// Changes the story, for this holder only.
    pub(super) fn edit_story(&mut self, change: impl FnOnce(&mut Story)) {
        self.edit(|body| change(Arc::make_mut(body.story.get_or_insert_default())));
    }
}

/// What a plain word says, spelled out.
fn plain_causes(plain: &Repr) -> Vec<Cause> {
    match plain.read() {
        Word::At(place) => vec![Cause::at(place)],
        Word::Bare | Word::Shared(_) => Vec::new(),
    }
}
