//! Room in a channel: waited for, reserved, filled.
//!
//! ```text
//!   send     ── a claim on room, and an item for it ──► filled
//!   reserve  ── a claim on room ──► Reservation ── send ──► filled
//!                                        └ dropped ──► the next in line
//! ```

use super::{Channel, ChannelClosed};
use crate::sync::order::Fifo;
use crate::sync::store::{ASlot, Store};
use crate::sync::turn::{At, Claim};
use crate::sync::wait_list::{Left, WaitList};
use homing_executor::cancel::Awaiting;
use homing_executor::error::Result;
use std::fmt;

/// Room for one item in a channel. Dropped, it goes to the next in line.
#[must_use = "room that is reserved and not used is in the way of others"]
pub struct Reservation<'a, T> {
    channel: &'a Channel<T>,
    used: bool,
}

impl<'a, T> Reservation<'a, T> {
    /// For room that has been gained.
    pub(super) fn new(channel: &'a Channel<T>) -> Reservation<'a, T> {
        Reservation { channel, used: false }
    }

    /// Sends the item. If all receivers are gone, it is dropped, as it would be if they went a moment later.
    pub fn send(mut self, item: T) {
        if !self.channel.is_closed() {
            self.used = true;
            self.channel.store.fill(item);
        }
    }
}

impl<T> Drop for Reservation<'_, T> {
    fn drop(&mut self) {
        if !self.used {
            self.channel.store.give_up_slot();
        }
    }
}

/// The claim on room for an item.
pub(super) struct Room;

impl<T> Claim<Channel<T>> for Room {
    type Note = <ASlot as Claim<Store<Fifo<T>>>>::Note;
    type Gain = Result<(), ChannelClosed>;

    fn line(channel: &Channel<T>) -> &WaitList<Self::Note> {
        ASlot::line(&channel.store)
    }

    fn awaited(_: &Channel<T>, line: u64) -> Awaiting {
        Awaiting::Channel(line)
    }

    fn note(&self) -> Self::Note {
        Claim::<Store<Fifo<T>>>::note(&ASlot)
    }

    fn take_at_once(&mut self, channel: &Channel<T>, at: At) -> Option<Self::Gain> {
        ASlot.take_at_once(&channel.store, at).map(|room| room.map_err(|_| ChannelClosed))
    }

    fn collect(&mut self, channel: &Channel<T>, kept: Self::Note, at: At) -> Self::Gain {
        ASlot.collect(&channel.store, kept, at).map_err(|_| ChannelClosed)
    }

    fn left(&mut self, channel: &Channel<T>, left: Left<Self::Note>) {
        ASlot.left(&channel.store, left);
    }
}

/// The claim on room, to put an item there.
pub(super) struct Send<T>(pub(super) Option<T>);

impl<T> Send<T> {
    fn fill(&mut self, channel: &Channel<T>, room: Result<(), ChannelClosed>) -> Result<(), ChannelClosed> {
        room?;
        channel.store.fill(self.0.take().expect("a send sends once"));
        Ok(())
    }
}

impl<T> Claim<Channel<T>> for Send<T> {
    type Note = <Room as Claim<Channel<T>>>::Note;
    type Gain = Result<(), ChannelClosed>;

    fn line(channel: &Channel<T>) -> &WaitList<Self::Note> {
        Room::line(channel)
    }

    fn awaited(_: &Channel<T>, line: u64) -> Awaiting {
        Awaiting::Channel(line)
    }

    fn note(&self) -> Self::Note {
        Claim::<Channel<T>>::note(&Room)
    }

    fn take_at_once(&mut self, channel: &Channel<T>, at: At) -> Option<Self::Gain> {
        Room.take_at_once(channel, at).map(|room| self.fill(channel, room))
    }

    fn collect(&mut self, channel: &Channel<T>, kept: Self::Note, at: At) -> Self::Gain {
        let room = Room.collect(channel, kept, at);
        self.fill(channel, room)
    }

    fn left(&mut self, channel: &Channel<T>, left: Left<Self::Note>) {
        Room.left(channel, left);
    }
}

impl<T> fmt::Debug for Reservation<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("channel::Reservation")
    }
}
