//! A chat server: everybody hears what anybody says. Try it with `nc 127.0.0.1 PORT`, in two terminals.
//!
//! ```text
//!   nc ── a line ──► reads lines ──► a line for each other member ──► writes lines ──► nc
//!                     one task a member: both directions, whichever comes first
//! ```
//!
//! A member who does not read is not waited for: what does not fit into its line of messages, it misses.

use clap::Parser;
use futures_util::future::{Either, select};
use homing::io::Lines;
use homing::net::{TcpListener, TcpStream};
use homing::sync::Queue;
use homing::{Error, Result, Server, Stopping};
use serving::{say, told_to_stop};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;

#[derive(Parser)]
struct Options {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    address: SocketAddr,
}

/// How many messages wait for a member at most.
const BACKLOG: usize = 100;

/// How long a line may be.
const LONGEST: usize = 1_000;

/// Who is here, and what they have not read yet.
#[derive(Default)]
struct Room {
    members: RefCell<BTreeMap<SocketAddr, Rc<Queue<String>>>>,
}

impl Room {
    /// Says something to everybody else.
    fn tell(&self, from: SocketAddr, message: &str) {
        for (_, messages) in self.members.borrow().iter().filter(|(member, _)| **member != from) {
            // Whose line is full misses it.
            let _ = messages.put_nowait(message.to_owned());
        }
    }
}

/// A place in the room, for as long as this lives.
struct Member {
    room: Rc<Room>,
    address: SocketAddr,
    messages: Rc<Queue<String>>,
}

impl Member {
    fn enter(room: Rc<Room>, address: SocketAddr) -> Member {
        let messages = Rc::new(Queue::new(BACKLOG));
        room.tell(address, &format!("* {address} has come\n"));
        room.members.borrow_mut().insert(address, messages.clone());
        // The line is empty, so there is room.
        let _ = messages.put_nowait(format!("* {} here\n", room.members.borrow().len()));
        Member { room, address, messages }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.room.members.borrow_mut().remove(&self.address);
        self.room.tell(self.address, &format!("* {} has gone\n", self.address));
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    homing::run(async move {
        let listener = TcpListener::bind(options.address)?;
        say("chat", listener.local_addr()?)?;
        let room = Rc::new(Room::default());
        let handler = |(stream, peer), stopping| talk(stream, Member::enter(room.clone(), peer), stopping);
        let served =
            Server::new().limit(1_000).run(told_to_stop(), async || listener.accept().await, handler).await?;
        Ok(say("served", format_args!("{served:?}"))?)
    })
}

/// One member's conversation. What goes wrong in it is its own affair.
async fn talk(stream: TcpStream, member: Member, stopping: Stopping) -> Result<()> {
    // The stop comes first, lest the last thing that is heard is who else has gone.
    let outcome = match select(stopping, pin!(converse(&stream, &member))).await {
        Either::Left(((), _)) => stream.write_all(b"* the server stops\n").await,
        Either::Right((ended, _)) => ended,
    };
    outcome.or_else(|error| if error.is_cancelled() { Err(error) } else { Ok(()) })
}

async fn converse(stream: &TcpStream, member: &Member) -> Result<()> {
    let hears = async {
        loop {
            let message = member.messages.get().await?;
            stream.write_all(message.as_bytes()).await?;
        }
    };
    let says = async {
        let mut lines = Lines::new(stream).limit(LONGEST);
        while let Some(line) = lines.next_line().await? {
            member.room.tell(member.address, &format!("{}: {line}\n", member.address));
        }
        Ok::<_, Error>(())
    };
    match select(pin!(says), pin!(hears)).await {
        Either::Left((ended, _)) | Either::Right((ended, _)) => ended,
    }
}
