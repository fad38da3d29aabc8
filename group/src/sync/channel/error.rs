//! What a channel refuses, and why: as [queues](crate::sync::Queue) do it.
//!
//! ```text
//!   send            ChannelClosed                    as the `Error` of the await
//!   try_send(item)  SendRefused::{Full, Closed}      with the item in it   ──?──► ChannelFull, ChannelClosed
//!   try_recv()      RecvRefused::{Empty, Closed}                           ──?──► ChannelEmpty, ChannelClosed
//! ```

use homing_executor::error::Error;
use std::fmt;

/// The channel is full: `send` would have to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelFull;

/// There is no item in the channel, or none that is not kept for somebody: `recv` would have to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelEmpty;

/// The other side is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelClosed;

/// An item that could not be sent at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendRefused<T> {
    /// There is no room, or it is kept for those who have waited.
    Full(T),
    /// All receivers are gone.
    Closed(T),
}

impl<T> SendRefused<T> {
    /// The item.
    pub fn into_item(self) -> T {
        match self {
            SendRefused::Full(item) | SendRefused::Closed(item) => item,
        }
    }
}

/// Why no item could be received at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvRefused {
    /// There is no item, or it is kept for those who have waited.
    Empty,
    /// All senders are gone, and there is no item left.
    Closed,
}

impl<T> From<SendRefused<T>> for Error {
    /// A [`ChannelFull`] or [`ChannelClosed`]. The item is dropped.
    fn from(refused: SendRefused<T>) -> Error {
        match refused {
            SendRefused::Full(_) => ChannelFull.into(),
            SendRefused::Closed(_) => ChannelClosed.into(),
        }
    }
}

impl From<RecvRefused> for Error {
    /// A [`ChannelEmpty`] or [`ChannelClosed`].
    fn from(refused: RecvRefused) -> Error {
        match refused {
            RecvRefused::Empty => ChannelEmpty.into(),
            RecvRefused::Closed => ChannelClosed.into(),
        }
    }
}

impl<T> fmt::Debug for SendRefused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendRefused::Full(_) => "Full(..)",
            SendRefused::Closed(_) => "Closed(..)",
        })
    }
}

impl fmt::Display for ChannelFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the channel is full; wait for room with `send`")
    }
}

impl fmt::Display for ChannelEmpty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the channel is empty; wait for an item with `recv`")
    }
}

impl fmt::Display for ChannelClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the channel is closed: its other side is gone")
    }
}

impl std::error::Error for ChannelFull {}

impl std::error::Error for ChannelEmpty {}

impl std::error::Error for ChannelClosed {}
