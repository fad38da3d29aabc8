//! Which signal.

use std::fmt;

/// A signal, by its number.
///
/// ```
/// use homing::signal::SignalKind;
///
/// assert_eq!(SignalKind::TERMINATE.to_string(), "SIGTERM");
/// assert_eq!(SignalKind::from_raw(SignalKind::HANGUP.as_raw()), SignalKind::HANGUP);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SignalKind(i32);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:ident;)*) => {
        impl SignalKind {
            $($(#[$doc])* pub const $name: SignalKind = SignalKind(libc::$number);)*

            fn name(self) -> Option<&'static str> {
                match self {
                    $(SignalKind::$name => Some(stringify!($number)),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// A timer of `alarm(2)`: `SIGALRM`.
    ALARM = SIGALRM;
    /// A child has ended, stopped or gone on: `SIGCHLD`.
    CHILD = SIGCHLD;
    /// The terminal has gone; to daemons: read your settings again. `SIGHUP`.
    HANGUP = SIGHUP;
    /// Ctrl-C: `SIGINT`.
    INTERRUPT = SIGINT;
    /// There is room in a pipe that nobody reads: `SIGPIPE`. Rust programs ignore it.
    PIPE = SIGPIPE;
    /// Ctrl-\: `SIGQUIT`.
    QUIT = SIGQUIT;
    /// The polite request to end: `SIGTERM`.
    TERMINATE = SIGTERM;
    /// For the program's own use: `SIGUSR1`.
    USER_1 = SIGUSR1;
    /// For the program's own use: `SIGUSR2`.
    USER_2 = SIGUSR2;
    /// The terminal has another size: `SIGWINCH`.
    WINDOW_CHANGE = SIGWINCH;
    /// The end without a choice: `SIGKILL`. It can be sent, but not listened to.
    KILL = SIGKILL;
    /// Stops a process, without a choice: `SIGSTOP`. It can be sent, but not listened to.
    STOP = SIGSTOP;
    /// Lets a stopped process go on: `SIGCONT`.
    CONTINUE = SIGCONT;
}

impl SignalKind {
    /// The signal with this number, on this system.
    pub const fn from_raw(number: i32) -> SignalKind {
        SignalKind(number)
    }

    /// Its number, on this system.
    pub const fn as_raw(self) -> i32 {
        self.0
    }
}

/// `SIGTERM`; `signal 40` for one that has no name here.
impl fmt::Display for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignalKind({self})")
    }
}
